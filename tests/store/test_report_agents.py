"""The nightly report's section on agents."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import duckdb

from flows.stages.publish import insert_rows
from flows.stages.report import ReportFacts, report
from store.exports import export_table

HOSTILE = "</td><script>alert(1)</script>"
AT = datetime(2026, 2, 1)


def _document(passed: bool) -> dict[str, object]:
    arms = [
        {"point": "p", "arm": f"d:{arm}", "default": arm == "a", "mean": mean, "low": mean - 0.01, "high": mean + 0.01}
        for arm, mean in (("a", 0.1), ("b", 0.2))
    ]
    values = {name: {"dr": {"value": 0.1, "error": 0.01, "low": 0.08, "high": 0.12}} for name in ("default", "new")}
    refused = {"serving": {"dr": {"value": 0.1, "error": 9.0, "low": None, "high": None}}, "uniform": {"dr": None}}
    gates = [{"gate": "G1", "passed": passed, "detail": HOSTILE, "statistic": None, "threshold": None}]
    return {"arms": arms, "offPolicy": values | refused, "gates": gates, "placebo": {"share": 0.01}}


def test_what_the_report_says_of_agents(tmp_path: Path) -> None:
    rows = [
        {"agent": "home", "version": "v2", "new_version": "v2", "published": True, "reason": "", "exposures": 12345,
         "report": _document(True)},
        {"agent": "other", "version": "v1", "new_version": "v9", "published": False, "reason": f"G1: {HOSTILE}",
         "exposures": 5, "report": {"gates": _document(False)["gates"]}},
    ]
    with duckdb.connect() as con:
        insert_rows(con, "decision_reports", rows)
        insert_rows(con, "agent_flags", [{"agent": "other", "flag": "gap", "version": "", "since": AT, "detail": ""}])
        for name in ("decision_reports", "agent_flags"):
            export_table(con, name, tmp_path / "r")
    html = report(tmp_path / "r", ReportFacts("r", AT)).read_text(encoding="utf-8")
    section = html.split('<section id="agents">')[1].split("</section>")[0]
    text = re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", " ", section.split("<figure>")[0]))
    for words in ("home", "published", "v2", "12\u202f345", "other", "held back", "learned: v9", "G1", "gap"):
        assert words in text, words
    assert section.count("<svg") == 2
    assert "d:b" in section and "posterior mean of each arm" in section
    assert HOSTILE not in html
    assert '<a href="#agents">' in html
    assert json.dumps(HOSTILE) not in html


def test_a_run_without_agents_has_no_such_section(tmp_path: Path) -> None:
    (tmp_path / "r" / "tables").mkdir(parents=True)
    html = report(tmp_path / "r", ReportFacts("r", AT)).read_text(encoding="utf-8")
    assert 'id="agents"' not in html
