"""The nightly report's section on A/B tests."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import duckdb

from contracts.published import TABLE_BY_NAME
from flows.stages.report import ReportFacts, report

HOSTILE = "</td><script>alert(1)</script>"


def put(folder: Path, name: str, *rows: str) -> None:
    """Write one published table of a run from SQL rows in the order of its columns."""
    table = TABLE_BY_NAME[name]
    columns = ", ".join(f"{column.name}::{column.type} AS {column.name}" for column in table.columns)
    names = ", ".join(column.name for column in table.columns)
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as con:
        con.execute(
            f"COPY (SELECT {columns} FROM (VALUES {', '.join(rows)}) t({names})) TO "
            f"'{folder}/tables/{name}.parquet' (FORMAT parquet)"
        )


def test_what_the_report_says_of_ab_tests(tmp_path: Path) -> None:
    put(
        tmp_path / "r",
        "experiments",
        "('a-test', ['profile_to_items/home'], true, TIMESTAMP '2026-01-01', ['charged', 'signed'], 7, 12345, 12300, "
        "4, 9000, 9001, 450, 640, 0.05, 0.0711, 0.0211, 0.0101, 0.0321, 0.05, 0.0002, 1, 'B is better')",
        f"('{HOSTILE}', [], false, NULL, ['charged', 'signed'], 7, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, -1, 1, 0.05, "
        "1, 0.0001, 'the split is broken: do not trust')",
    )
    put(
        tmp_path / "r",
        "experiment_days",
        *(
            f"('a-test', DATE '2026-01-0{day}', 10, 10, 10, 10, 1, 2, {value}, {low}, {high}, 1, 1)"
            for day, value, low, high in ((1, "NULL", -1, 1), (2, 0.02, -0.9, 0.9), (3, 0.0211, 0.0101, 0.0321))
        ),
    )
    html = report(tmp_path / "r", ReportFacts("r", datetime(2026, 2, 1))).read_text(encoding="utf-8")
    section = html.split('<section id="experiments">')[1].split("</section>")[0]
    text = re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", " ", section.split("<figure>")[0]))
    for words in ("a-test", "B is better", "profile_to_items/home", "12\u202f345", "5.0 %", "7.1 %", "1.0 % to 3.2 %",
                  "by charged or signed within 7 days", "0.0002", "not running", "the split is broken: do not trust"):
        assert words in text, words
    assert section.count("<svg") == 1  # no plot of a test that nobody met
    assert "2026-01-02" in section
    assert "2026-01-01" not in section.split("<svg")[1]  # nothing was known that day
    assert HOSTILE not in html
    assert '<a href="#experiments">' in html


def test_a_run_without_tests_says_so(tmp_path: Path) -> None:
    (tmp_path / "r" / "tables").mkdir(parents=True)
    html = report(tmp_path / "r", ReportFacts("r", datetime(2026, 2, 1))).read_text(encoding="utf-8")
    assert "No stored scenario is an A/B test." in html
