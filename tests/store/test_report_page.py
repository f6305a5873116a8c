"""The nightly report: it holds what it must, for full runs and bare ones, and nothing from the data becomes markup."""

import json
import re
from datetime import datetime
from html.parser import HTMLParser

import duckdb
import pytest

from contracts.published import TABLE_BY_NAME
from flows.stages.check import CheckOutcome
from flows.stages.report import ReportFacts, report
from store import pages, plots
from transforms.check_results import CheckResult
from transforms.drift import Drift

HOSTILE = "</td><script>alert(1)</script>"
TEXT = HOSTILE.replace("'", "''")
MOMENT = "TIMESTAMP '2026-01-01 00:00:00'"


class Run:
    """A run folder with only the tables that are put there."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tables").mkdir(parents=True)

    def put(self, name, select):
        columns = ", ".join(f"{column.name}::{column.type} AS {column.name}" for column in TABLE_BY_NAME[name].columns)
        with duckdb.connect() as con:
            con.execute(f"COPY (SELECT {columns} FROM ({select})) TO '{self.folder}/tables/{name}.parquet'")

    def values(self, name, *rows):
        columns = ", ".join(column.name for column in TABLE_BY_NAME[name].columns)
        self.put(name, f"SELECT * FROM (VALUES {', '.join(rows)}) t({columns})")


ELECTION = {"change": {"reason": "blend is ahead by 0.0123 <b>"}, "frozen": {"reason": "measured anew"}}


def full_run(folder, shift=0):
    run = Run(folder)
    run.put(
        "items",
        "SELECT 'i' || lpad(i::VARCHAR, 2, '0') AS item_id, i AS item_index, 'c' AS item_category, 'n' AS item_name, "
        "'' AS item_description, 1 AS item_price, 'active' AS status, '{}' AS properties, "
        f"{MOMENT} AS created_at, {MOMENT} AS updated_at FROM range(20) t(i)",
    )
    run.put(
        "popularity",
        "SELECT i + 1 AS rank, 'i' || lpad(i::VARCHAR, 2, '0') AS item_id, 1 AS score, 1 AS profiles, 20 - i AS events "
        "FROM range(20) t(i)",
    )
    items = f"lambda x: 'i' || lpad(((x + {shift} * (i % 2)) % 15)::VARCHAR, 2, '0')"
    run.put(
        "recommendation_lists",
        "SELECT 'p' || i AS profile_id, i AS profile_index, 'blend' AS model, i = 0 AS cold, "
        f"list_transform(range(12), {items}) AS item_ids, list_transform(range(12), lambda x: 1.0) AS scores "
        "FROM range(10) t(i)",
    )
    run.put(
        "churn",
        "SELECT 'p' || i AS profile_id, i / 10.0 AS churn_score, "
        f"CASE WHEN i + {shift} < 5 THEN 'low' ELSE 'high' END AS churn_probability, 1 AS expected_days_to_churn, "
        "[] AS churn_reasons, [] AS survival, 30 AS horizon_days, 'hazard' AS model FROM range(11) t(i)",
    )
    models = (
        ("popular", 0.0401, True, False, "NULL"), ("blend", 0.0931, False, True, 0.0876), (TEXT, 0.05, False, False, 0)
    )
    scores = [
        f"('rec', 'rolling', '{model}', 'new', '{metric}', {value}, {error}, 1526, {baseline}, {serving}, "
        f"{MOMENT}, {MOMENT}, {last}, {model == TEXT})"
        for model, value, baseline, serving, last in models
        for metric, error in (("ndcg@10", 0.0037), ("coverage@10", "NULL"))
    ]
    run.values("evaluation", *scores)
    details = {
        "calibration": [
            {"predicted": 0.1, "observed": 0.12, "profiles": 5},
            {"predicted": 0.9, "observed": 0.8, "profiles": 5},
        ],
        "report": {"features_of_importance": [{"feature_name": HOSTILE, "feature_importance": 0.7}]},
    }
    run.values(
        "training_jobs",
        f"('training_job_1', 'churn-prediction', 'hazard', 'Completed', '{folder.name}', 'training_job_1', "
        f"{MOMENT}, '', NULL, '{{}}', '{{}}', '[]', '{{}}', '{{}}', '{json.dumps(details)}')",
        f"('training_job_2', 'recommendations', 'blend', 'Failed', 'r-0', 'training_job_0', {MOMENT}, "
        f"'the new model is worse', NULL, '{{}}', '{{}}', '[]', '{{}}', '{{}}', '{json.dumps(ELECTION)}')",
    )
    run.values(
        "scenario_tables",
        "('profile_to_items', 'profile_to_items', 'd', [], true, '', 'ease', '{}', 10, 200.5, 0)",
        "('profile_to_items', 'profile_to_items.new<b>', 'e', ['new<b>'], true, '', 'ease', '{}', 10, 61.25, 4)",
        "('profile_to_items', 'profile_to_items.own', NULL, ['own'], false, 'known at the request', NULL, '{}', NULL, "
        "NULL, NULL)",
        "('item_to_items', 'item_to_items', 'd', [], true, '', 'ease', '{}', 10, 200.5, 0)",
    )
    run.values(
        "scenario_evaluation",
        *(
            f"('profile_to_items', 'profile_to_items{name}', 'd', [], '{metric}', {0.5 + cost}, {error}, {cost}, "
            f"{error}, 77, {MOMENT}, {MOMENT})"
            for name, cost in (("", 0.0), (".new<b>", -0.0123))
            for metric, error in (("ndcg@10", 0.0045), ("coverage@10", "NULL"))
        ),
    )
    run.values(
        "file_loads",
        f"(1, 'events', 'inbox', '{TEXT}', 'h', 'loaded', 1234567, 1234000, 500, 60, 7, 'new column', {MOMENT})",
        f"(2, 'items', 'inbox', 'of-last-week.csv', 'h', 'loaded', 1, 1, 0, 0, 0, '', {MOMENT})",
    )
    run.values(
        "quarantine",
        *[
            f"(1, 'events', 'f', 'h', {line}, 'c', 'v', 'bad_timestamp', '{TEXT}', 'raw', {MOMENT}, NULL)"
            for line in range(7)
        ],
    )
    return run


LAPS = (
    {
        "stage": "ingest",
        "seconds": 12.0,
        "cpu_seconds": 15.0,
        "rows": 1234567,
        "rows_per_second": 102880.6,
        "peak_mb": 812.4,
        "note": HOSTILE,
    },
    {
        "stage": "publish",
        "seconds": 65.0,
        "cpu_seconds": 1.0,
        "rows": 0,
        "rows_per_second": 0.0,
        "peak_mb": 900.0,
        "note": "",
    },
)
CHECKED = CheckOutcome(
    (
        CheckResult(f"profile_data>>{HOSTILE}: in", "x", "in", "quarantine", False, 100, 12, HOSTILE, "one of a"),
        CheckResult("events: range", "events", "range", "warn", True, 100, 0, "all 100", "at least 0"),
    ),
    (Drift("recency_days", "psi", 0.4, 0.25, True, "r-1"), Drift("amount", "mean", 0.0, 0.5, False, "r-1")),
    100,
    12,
)
LOADS = ({"load_id": 1, "entity": "events", "file": "f", "skips": {"returned goods": 60}},)


class Tags(HTMLParser):
    """Tags and attributes of a page, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text = set(), [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data + (" " if data.strip() else "")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    home = tmp_path_factory.mktemp("runs")
    full_run(home / "r-1")
    full_run(home / "r-2", shift=3)
    facts = ReportFacts("r-2", datetime(2026, 2, 1), home / "r-1", LAPS, LOADS, CHECKED)
    path = report(home / "r-2", facts)
    assert path == home / "r-2" / "reports" / "index.html"
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words",
    [
        "Run r-2, as of 2026-02-01 00:00:00, compared with r-1",
        "1\u202f234\u202f567",
        "new column",
        "returned goods",
        "bad_timestamp",
        "Held back in quarantine",
        "1 of 2 checks failed",
        "12 profiles kept out of training",
        "recency_days",
        "distribution (PSI)",
        "0.0931",
        "0.0876",
        "ndcg@10, last run",
        "served before",
        "Recommendations: blend is ahead by 0.0123 <b>.",
        "The frozen cut: measured anew.",
        "±0.0037",
        "serving",
        "baseline",
        "carried forward",
        "new<b>",
        "61.2",
        "at lookup known at the request",
        "-0.0123",
        "±0.0045",
        "77 profiles",
        "What each set of rules does to ndcg@10",
        "the new model is worse",
        "11 profiles scored by hazard for 30 days: 2 low, 9 high",
        "mean probability of churning within 30 days",
        "Calibration on data not used for fitting",
        "What the churn score is made of",
        "13 of 20 items stand among somebody's first ten",
        "50.0 % of 10 lists differ in their first ten places",
        "Churn labels that moved",
        "102\u202f881",
        "812 MB",
        "1 min 05 s",
        "Seconds by stage",
    ],
)
def test_the_report_says(page, words):
    assert words in re.sub(r"[ \n]+", " ", Tags(page).text)


def test_only_this_nights_files_are_shown(page):
    assert "of-last-week.csv" not in page


def test_the_page_fetches_nothing_and_no_data_becomes_markup(page):
    seen = Tags(page)
    assert not seen.tags & {"script", "img", "link", "iframe", "object", "embed", "image", "use"}
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in {"src", "xlink:href"}]
    links = {value for name, value in seen.attributes if name == "href"}
    assert all(link.startswith("#") or re.fullmatch(r"[a-z_/]+\.html", link) for link in links)
    assert not re.search(r"url\((?!#)|@import", page)
    assert HOSTILE in seen.text


def test_seven_plots_and_their_ids_do_not_collide(page):
    assert page.count("<svg") == 7
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_a_bare_run_still_has_a_report(tmp_path):
    Run(tmp_path / "r-1")
    page = report(tmp_path / "r-1", ReportFacts("r-1", datetime(2026, 2, 1))).read_text(encoding="utf-8")
    for words in (
        "No file was delivered",
        "Nothing was checked",
        "No model was trained",
        "no recommendation lists",
        "No profile has a churn score",
        "no earlier run to compare with",
        "No timings",
    ):
        assert words in page


def test_empty_tables_are_no_obstacle(tmp_path):
    run = Run(tmp_path / "r-1")
    for name, table in TABLE_BY_NAME.items():
        run.put(
            name,
            "SELECT " + ", ".join(f"NULL::{column.type} AS {column.name}" for column in table.columns) + " WHERE false",
        )
    facts = ReportFacts("r-1", datetime(2026, 2, 1), tmp_path / "r-1", LAPS, LOADS)
    assert "Stages" in report(tmp_path / "r-1", facts).read_text(encoding="utf-8")


def test_plots_escape_and_take_the_colours_of_the_page():
    svg = plots.bars([{"name": HOSTILE, "value": 1.0}], "<b>x</b>", "one")
    assert "<script" not in svg and "<b>" not in svg
    assert "var(--accent)" in svg and "currentColor" in svg


def test_a_plot_of_its_own_brings_its_colours_and_size():
    svg = plots.alone(plots.bars([{"name": "one", "value": 1.0}], "x", "one"))
    assert "var(" not in svg and "currentColor" not in svg
    assert re.match(r'<svg width="\d+" height="\d+" [^>]*><rect width="100%" height="100%" fill="#fff"/>', svg)
    assert "#2f6fde" in svg


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (pages.count(1234567), "1\u202f234\u202f567"),
        (pages.count(None), "–"),
        (pages.percent(0.1234), "12.3 %"),
        (pages.signed(-5), "−5"),
        (pages.signed(0), "±0"),
        (pages.seconds(0.041), "0.04 s"),
        (pages.seconds(185), "3 min 05 s"),
        (pages.decimal(None), "–"),
    ],
)
def test_numbers_read_well(shown, wanted):
    assert shown == wanted
