"""The check stage on a real workbench: severities, the tables it leaves, the last run, the pages."""

import re
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from contracts.errors import RunBlocked
from contracts.features import FeatureRule, FeatureSpec, TableRule
from contracts.progress import Silent
from contracts.published import TABLE_BY_NAME
from contracts.settings import Settings
from flows.stages.check import check

AS_OF = datetime(2026, 1, 1)
TABLE = TableRule()
HOSTILE = "<script>alert(1)</script>"
IMAGE = '<img src="http://example.org/x.png" onerror="alert(2)">'


SOME = ("profile_id", "events", "recency_days", "amount", "has_charged")
ALL = tuple(column.name for column in TABLE_BY_NAME["profile_features"].columns)


def workbench(
    profiles: int = 1000, age_shift: int = 0, plan: str = "gold", columns: tuple[str, ...] = SOME
) -> duckdb.DuckDBPyConnection:
    """A workbench with some columns of ``profile_features``, profiles with properties, and their registered types."""
    con = duckdb.connect()
    con.execute("ATTACH ':memory:' AS warehouse")
    con.execute("CREATE TABLE warehouse.property_types (entity VARCHAR, parent VARCHAR, key VARCHAR, type VARCHAR)")
    con.executemany(
        "INSERT INTO warehouse.property_types VALUES (?, ?, ?, ?)",
        [
            ("profiles", "profile_data", "age", "number"),
            ("profiles", "profile_data", "plan", "string"),
            ("profiles", "platform_info", HOSTILE, "string"),
            ("events", "charged", "amount", "number"),
        ],
    )
    shown = ", ".join(
        f"{_value(column.type, column.name)} AS {column.name}"
        for column in TABLE_BY_NAME["profile_features"].columns
        if column.name in columns
    )
    con.execute(f"CREATE TABLE profile_features AS SELECT {shown} FROM range({profiles}) t(i)")
    con.execute(
        "CREATE TABLE profiles AS SELECT 'p' || lpad(i::VARCHAR, 6, '0') AS profile_id, "
        f"json_object('age', i % 50 + {age_shift}, "
        f"'plan', CASE WHEN i % 2 = 0 THEN '{plan}' ELSE 'silver' END) AS profile_data, "
        f"json_object('{HOSTILE}', '{IMAGE}') AS platform_info FROM range({profiles}) t(i)"
    )
    return con


def _value(kind: str, name: str) -> str:
    if name == "profile_id":
        return "'p' || lpad(i::VARCHAR, 6, '0')"
    return {"INTEGER": "(i % 7)::INTEGER", "BOOLEAN": "i % 2 = 0"}.get(kind, f"(i % 11)::{kind}")


def run(
    con,
    target: Path,
    *rules: FeatureRule,
    previous: Path | None = None,
    table: TableRule = TABLE,
    learned: bool = True,
):
    return check(con, target, Settings(), FeatureSpec(rules, table, learned=learned), AS_OF, previous, Silent())


def publish(con, target: Path) -> None:
    """Export what the next night compares with."""
    (target / "tables").mkdir(parents=True, exist_ok=True)
    for name in ("profile_features", "profiles"):
        con.execute(f"COPY {name} TO '{target}/tables/{name}.parquet'")


def names(con, table: str, column: str) -> list[str]:
    return [row[0] for row in con.execute(f"SELECT DISTINCT {column} FROM {table} ORDER BY 1").fetchall()]


def test_healthy_features_pass_and_nothing_is_left_behind(tmp_path):
    con = workbench()
    outcome = run(con, tmp_path / "r-1")
    assert outcome.rows == 1000
    assert outcome.failed == outcome.drift == ()
    assert outcome.quarantined == 0
    assert names(con, "check_failures", "expectation") == names(con, "drift", "feature") == []
    assert sorted(path.name for path in (tmp_path / "r-1").iterdir()) == ["reports"]
    for name in ("checks", "check_failures", "drift"):
        described = [(row[0], row[1]) for row in con.execute(f"DESCRIBE {name}").fetchall()]
        assert described == [(column.name, column.type) for column in TABLE_BY_NAME[name].columns]


def test_every_feature_is_looked_at(tmp_path):
    con = workbench(columns=ALL)
    run(con, tmp_path / "r-1")
    checked = set(names(con, "checks", "column_name"))
    assert set(ALL) | {"profile_data>>age", "profile_data>>plan", f"platform_info>>{HOSTILE}"} <= checked


def test_warn_reports_and_goes_on(tmp_path):
    con = workbench()
    outcome = run(con, tmp_path / "r-1", FeatureRule("profile_data>>age", maximum=40))
    assert [(one.expectation, one.severity, one.rows_failed) for one in outcome.failed] == [
        ("profile_data>>age: range", "warn", 180)
    ]
    assert outcome.quarantined == 0
    assert names(con, "quarantined_profiles", "profile_id") == []
    assert len(names(con, "check_failures", "profile_id")) == 180


def test_quarantine_names_the_profiles_that_drop_out(tmp_path):
    con = workbench()
    outcome = run(
        con,
        tmp_path / "r-1",
        FeatureRule("profile_data>>age", maximum=40, severity="quarantine"),
        FeatureRule("profile_data>>plan", values=("gold",), severity="quarantine"),
    )
    wanted = [f"p{i:06d}" for i in range(1000) if i % 50 > 40 or i % 2 == 1]
    assert names(con, "quarantined_profiles", "profile_id") == wanted
    assert outcome.quarantined == len(wanted)
    rows = con.execute(
        "SELECT count(*), count(DISTINCT (profile_id, expectation)) FROM quarantined_profiles"
    ).fetchone()
    assert rows == (180 + 500, 180 + 500)


def test_block_stops_the_run_after_the_results_are_written(tmp_path):
    con = workbench()
    with pytest.raises(
        RunBlocked, match=r"profile_data>>age: range: expected at most 40, observed 180 of 1000"
    ) as caught:
        run(con, tmp_path / "r-1", FeatureRule("profile_data>>age", maximum=40, severity="block"))
    assert caught.value.exit_code == 3
    assert con.execute("SELECT rows_failed FROM checks WHERE NOT passed").fetchall() == [(180,)]
    assert len(names(con, "check_failures", "profile_id")) == 180
    assert "profile_data&gt;&gt;age: range" in (tmp_path / "r-1" / "reports" / "checks.html").read_text(
        encoding="utf-8"
    )


def test_a_column_of_another_type_than_published_blocks(tmp_path):
    con = workbench()
    con.execute("ALTER TABLE profile_features ALTER events TYPE VARCHAR")
    with pytest.raises(RunBlocked, match="events: type: expected INTEGER, observed VARCHAR"):
        run(con, tmp_path / "r-1")


def test_too_few_profiles_left(tmp_path):
    publish(workbench(1000), tmp_path / "r-0")
    with pytest.raises(RunBlocked, match="row_drop"):
        run(
            workbench(400), tmp_path / "r-1", previous=tmp_path / "r-0", table=TableRule(max_drop=0.5, severity="block")
        )
    assert run(workbench(600), tmp_path / "r-2", previous=tmp_path / "r-0").blocking == ()


def test_the_last_run_teaches_ranges_and_categories(tmp_path):
    publish(workbench(), tmp_path / "r-0")
    con = workbench(age_shift=200, plan="platinum")
    outcome = run(con, tmp_path / "r-1", previous=tmp_path / "r-0")
    assert {one.expectation: one.rows_failed for one in outcome.failed} == {
        "profile_data>>age: learned_range": 1000,
        "profile_data>>plan: learned_set": 500,
    }
    assert {one.severity for one in outcome.failed} == {"warn"}
    assert {(one.feature, one.statistic) for one in outcome.drifted} == {
        ("profile_data>>age", "mean"),
        ("profile_data>>age", "psi"),
        ("profile_data>>plan", "psi"),
    }
    assert names(con, "drift", "previous_run") == ["r-0"]
    quiet = run(workbench(age_shift=200, plan="platinum"), tmp_path / "r-2", previous=tmp_path / "r-0", learned=False)
    assert quiet.failed == ()


def test_an_unchanged_night_reports_nothing(tmp_path):
    publish(workbench(), tmp_path / "r-0")
    outcome = run(workbench(), tmp_path / "r-1", previous=tmp_path / "r-0")
    assert outcome.failed == outcome.drifted == ()
    assert outcome.drift


def test_a_last_run_without_tables_or_with_older_columns_is_no_obstacle(tmp_path):
    (tmp_path / "bare").mkdir()
    assert run(workbench(), tmp_path / "r-1", previous=tmp_path / "bare").drift == ()
    old = workbench()
    old.execute("ALTER TABLE profile_features DROP amount")
    publish(old, tmp_path / "r-0")
    outcome = run(workbench(), tmp_path / "r-2", previous=tmp_path / "r-0")
    assert outcome.failed == ()
    assert "amount" not in {row.feature for row in outcome.drift}


@pytest.mark.parametrize("profiles", [0, 1])
def test_no_profile_and_one_profile(tmp_path, profiles):
    publish(workbench(1), tmp_path / "r-0")
    outcome = run(workbench(profiles), tmp_path / "r-1", previous=tmp_path / "r-0", table=TableRule(max_drop=None))
    assert outcome.rows == profiles
    assert outcome.failed == ()


def test_twice_gives_the_same_tables(tmp_path):
    rule = FeatureRule("profile_data>>age", maximum=40, severity="quarantine")
    publish(workbench(900), tmp_path / "r-0")
    tables = []
    for name in ("r-1", "r-2"):
        con = workbench(age_shift=3)
        run(con, tmp_path / name, rule, previous=tmp_path / "r-0")
        tables.append(
            [
                con.execute(f"SELECT * FROM {table}").fetchall()
                for table in ("checks", "check_failures", "drift", "quarantined_profiles")
            ]
        )
    assert tables[0] == tables[1]


def test_the_pages_fetch_nothing_and_run_nothing_from_the_data(tmp_path):
    con = workbench()
    run(con, tmp_path / "r-1", FeatureRule(f"platform_info>>{HOSTILE}", values=("<b>fine</b>",)))
    reports = tmp_path / "r-1" / "reports"
    pages = sorted(reports.rglob("*.html"))
    kinds = {page.relative_to(reports).parts[1] if page.parent != reports else page.name for page in pages}
    assert kinds == {"checks.html", "expectations", "index.html", "validations"}
    for page in pages:
        html = page.read_text(encoding="utf-8")
        assert not re.findall(r"""<(?:script|link|img|iframe|source|object|embed)\b[^>]*(?:src|href)""", html), page
        assert not re.findall(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", html), page
        assert not re.findall(r"url\(|@import|<img|<b>fine", html), page
        assert html.count("<script") <= 1 and "alert(1)" not in re.sub(r"&lt;script&gt;alert\(1\)", "", html), page
        assert str(tmp_path) not in html, page
    validation = next(page for page in pages if "validations" in page.parts).read_text(encoding="utf-8")
    assert "&lt;img src=" in validation and "1000 unexpected values found" in validation
    index = (reports / "data_docs" / "index.html").read_text(encoding="utf-8")
    for link in re.findall(r'href="([^"]+)"', index):
        assert (reports / "data_docs" / link).is_file()
