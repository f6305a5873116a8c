"""The border to Great Expectations: the shim, every kind of rule against its own SQL, errors that are not bad data."""

from datetime import datetime

import duckdb
import pytest

from contracts.errors import NightloomError
from contracts.features import FeatureRule, FeatureSpec, TableRule
from transforms import check_results, gx_duckdb
from transforms.expectations import validate
from transforms.feature_snapshot import Property, describe, select
from transforms.quoting import identifier
from transforms.suite import Check, build_suite

AS_OF = datetime(2026, 1, 1)
BIG = 5000

FEATURES = f"""
    SELECT 'p' || lpad(i::VARCHAR, 6, '0') AS profile_id,
           (CASE WHEN i % 100 = 0 THEN -i - 1 ELSE i END)::INTEGER AS events,
           CASE WHEN i % 10 = 0 THEN NULL WHEN i % 10 = 1 THEN 'nan'::DOUBLE ELSE i / 10.0::DOUBLE END AS recency_days,
           CASE WHEN i % 8 = 0 THEN NULL ELSE i % 3 = 0 END AS has_charged,
           'k' || (i // 2) AS pair
    FROM range({2 * BIG}) t(i)
"""
PROFILES = f"""
    SELECT 'p' || lpad(i::VARCHAR, 6, '0') AS profile_id,
           json_object('age', CASE WHEN i % 50 = 0 THEN to_json('old'::VARCHAR) ELSE to_json(i % 120) END,
                       'plan', CASE i % 4 WHEN 0 THEN 'gold' WHEN 1 THEN 'silver' WHEN 2 THEN 'null' ELSE 'x' END,
                       'it''s "odd" $name: %s >> /~', CASE WHEN i % 2 = 0 THEN 'yes' ELSE 'no' END,
                       'tags', CASE WHEN i % 3 = 0 THEN ['a', 'zz'] ELSE ['a'] END) AS profile_data,
           json_object('score', i / 4.0) AS platform_info
    FROM range({2 * BIG}) t(i)
"""
ODD = """profile_data>>it's "odd" $name: %s >> /~"""
PROPERTIES = (
    Property("platform_info", "score", "number"),
    Property("profile_data", "age", "number"),
    Property("profile_data", ODD.removeprefix("profile_data>>"), "string"),
    Property("profile_data", "plan", "string"),
    Property("profile_data", "tags", "string[]"),
)


class World:
    """A workbench with features, and what the checks of a spec say about them."""

    def __init__(self, folder, features=FEATURES, profiles=PROFILES, properties=PROPERTIES):
        self.folder = folder
        self.con = duckdb.connect()
        self.con.execute(f"CREATE TABLE profile_features AS {features}")
        self.con.execute(f"CREATE TABLE profiles AS {profiles}")
        self.features = describe(self.con, "profile_features", properties)

    def check(self, spec: FeatureSpec):
        suite = build_suite(self.features, spec)
        flags = "".join(f", {one.flag} AS {identifier(one.column)}" for one in suite.flags)
        query = select(self.features, "profile_features", "profiles", suite.typed)
        path = self.folder / "snap.parquet"
        self.con.execute(f"COPY (SELECT *{flags} FROM ({query})) TO '{path}' (FORMAT parquet)")
        verdicts = validate(path, suite.checks, run_id="r-1", as_of=AS_OF)
        check_results.create_tables(self.con)
        results = check_results.record(self.con, f"read_parquet('{path}')", suite.checks, verdicts)
        return {result.expectation: result for result in results}

    def failing(self, expectation: str) -> list[str]:
        rows = self.con.execute("SELECT profile_id FROM check_failures WHERE expectation = ? ORDER BY 1", [expectation])
        return [row[0] for row in rows.fetchall()]

    def ids(self, condition: str) -> list[str]:
        query = f"SELECT 'p' || lpad(i::VARCHAR, 6, '0') FROM range({2 * BIG}) t(i) WHERE {condition} ORDER BY 1"
        return [row[0] for row in self.con.execute(query).fetchall()]


RULES = [
    (FeatureRule("pair", unique=True), "pair: unique", "true"),
    (FeatureRule("recency_days", required=True), "recency_days: required", "i % 10 = 0"),
    (FeatureRule("recency_days", max_missing=0.05), "recency_days: max_missing", "i % 10 = 0"),
    (FeatureRule("recency_days", minimum=300), "recency_days: range", "i % 10 > 1 AND i / 10.0 < 300"),
    (FeatureRule("recency_days", maximum=300), "recency_days: range", "i % 10 = 1 OR (i % 10 > 1 AND i / 10.0 > 300)"),
    (FeatureRule("recency_days", type="integer"), "recency_days: type", "i % 10 <> 0"),
    (FeatureRule("events", type="string"), "events: type", "true"),
    (FeatureRule("events", values=(1.0, 2.0)), "events: in", "i NOT IN (1, 2)"),
    (FeatureRule("has_charged", values=(True,)), "has_charged: in", "i % 8 <> 0 AND i % 3 <> 0"),
    (FeatureRule("platform_info>>score", maximum=1000), "platform_info>>score: range", "i / 4.0 > 1000"),
    (FeatureRule("platform_info>>score", type="integer"), "platform_info>>score: type", "i % 4 <> 0"),
    (FeatureRule("profile_data>>age", maximum=100), "profile_data>>age: range", "i % 50 <> 0 AND i % 120 > 100"),
    (FeatureRule("profile_data>>age", type="string"), "profile_data>>age: type", "i % 50 <> 0"),
    (FeatureRule("profile_data>>age", required=True), "profile_data>>age: required", "i % 50 = 0"),
    (FeatureRule("profile_data>>plan", values=("gold", "silver")), "profile_data>>plan: in", "i % 4 = 3"),
    (FeatureRule("profile_data>>plan", required=True), "profile_data>>plan: required", "i % 4 = 2"),
    (FeatureRule("profile_data>>plan", regex="^(gold|silver)$"), "profile_data>>plan: regex", "i % 4 = 3"),
    (FeatureRule("profile_data>>plan", minimum=3), "profile_data>>plan: range", "i % 4 <> 2"),
    (FeatureRule(ODD, values=("yes",)), f"{ODD}: in", "i % 2 = 1"),
    (FeatureRule(ODD, regex="^y:?[^']*\\w$"), f"{ODD}: regex", "i % 2 = 1"),
    (FeatureRule("profile_data>>tags", values=("a",)), "profile_data>>tags: in", "i % 3 = 0"),
    (FeatureRule("profile_data>>tags", regex="^.$"), "profile_data>>tags: regex", "i % 3 = 0"),
    (FeatureRule("profile_data>>tags", type="number[]"), "profile_data>>tags: type", "true"),
    (FeatureRule("nowhere", required=True), "nowhere: exists", "true"),
]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """One validation per round, each round with every feature once, so that all rules are tried."""
    folder = tmp_path_factory.mktemp("rules")
    world = World(folder)
    outcome, waiting = {}, list(RULES)
    while waiting:
        turn = {rule.name: (rule, name) for rule, name, _ in reversed(waiting)}
        results = world.check(FeatureSpec(tuple(rule for rule, _ in turn.values())))
        for rule, name in turn.values():
            outcome[rule] = (results[name], world.failing(name))
        waiting = [entry for entry in waiting if entry[0] not in outcome]
    return world, outcome


@pytest.mark.parametrize(
    ("rule", "name", "condition"), RULES, ids=lambda value: str(getattr(value, "name", value))[:40]
)
def test_every_rule_lists_exactly_the_failing_profiles(judged, rule, name, condition):
    world, outcome = judged
    result, failing = outcome[rule]
    wanted = world.ids(condition)
    assert not result.passed
    assert failing == wanted
    if name != "nowhere: exists":
        assert result.rows_failed == len(wanted)


def test_thousands_of_failures_are_all_listed_where_great_expectations_lists_twenty(judged):
    _, outcome = judged
    assert len(outcome[RULES[18][0]][1]) == BIG


def test_what_is_checked_without_being_asked(tmp_path):
    world = World(tmp_path)
    results = world.check(FeatureSpec())
    failed = {name for name, result in results.items() if not result.passed}
    assert failed == {"events: range", "recency_days: finite", "has_charged: required", "profile_data>>age: type"}
    assert world.failing("events: range") == world.ids("i % 100 = 0")
    assert world.failing("recency_days: finite") == world.ids("i % 10 = 1")
    assert world.failing("profile_data>>age: type") == world.ids("i % 50 = 0")
    assert results["profile_id: unique"].severity == results["profile_id: required"].severity == "block"
    values = world.con.execute(
        "SELECT DISTINCT value FROM check_failures WHERE expectation = 'profile_data>>age: type'"
    )
    assert values.fetchall() == [("old",)]


def test_mostly_tolerates_and_then_lists_nobody(tmp_path):
    world = World(tmp_path)
    rule = FeatureRule("profile_data>>plan", values=("gold", "silver"), mostly=0.6)
    result = world.check(FeatureSpec((rule,)))["profile_data>>plan: in"]
    assert result.passed and result.rows_failed == BIG // 2
    assert world.failing("profile_data>>plan: in") == []


def test_a_repeated_profile_is_found(tmp_path):
    world = World(tmp_path, f"{FEATURES} UNION ALL ({FEATURES} LIMIT 1)")
    result = world.check(FeatureSpec())["profile_id: unique"]
    assert (result.passed, result.rows_failed) == (False, 2)
    assert world.failing("profile_id: unique") == ["p000000"]


@pytest.mark.parametrize("limit", [0, 1])
def test_no_profile_and_one_profile(tmp_path, limit):
    world = World(tmp_path, f"{FEATURES} LIMIT {limit} OFFSET 3")
    spec = FeatureSpec((FeatureRule("profile_data>>plan", required=True, values=("gold", "x")),), TableRule(min_rows=1))
    results = world.check(spec)
    assert {name for name, result in results.items() if not result.passed} == (
        set() if limit else {"(table): row_count"}
    )
    assert results["(table): row_count"].observed == f"{limit} profiles"


def test_the_order_of_rows_changes_nothing(tmp_path):
    tables = []
    for order in ("profile_id", "hash(profile_id)"):
        world = World(tmp_path, f"SELECT * FROM ({FEATURES}) ORDER BY {order}")
        world.check(FeatureSpec((FeatureRule("profile_data>>plan", values=("gold",)),)))
        tables.append(
            [
                world.con.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()
                for name in ("checks", "check_failures")
            ]
        )
    assert tables[0] == tables[1]


def test_without_the_shim_great_expectations_cannot_read_duckdb(tmp_path, monkeypatch):
    """If this fails, the shim is no longer needed; if the others fail, it no longer works."""
    import great_expectations.execution_engine.sqlalchemy_execution_engine as engine

    known = tuple(one for one in engine._PERSISTED_CONNECTION_DIALECTS if one.value != "duckdb")
    monkeypatch.setattr(engine, "_PERSISTED_CONNECTION_DIALECTS", known)
    monkeypatch.setattr(gx_duckdb, "install", lambda: None)
    with pytest.raises(NightloomError, match="could not be computed"):
        World(tmp_path).check(FeatureSpec())


def test_an_errored_metric_is_an_error_and_not_bad_data(tmp_path):
    duckdb.sql("SELECT 'p' AS profile_id, 'text' AS plan").write_parquet(str(tmp_path / "snap.parquet"))
    wrong = Check(
        "plan: range", "plan", "range", "warn", "at least 0", column="plan", kind="between", arguments={"min_value": 0}
    )
    with pytest.raises(NightloomError, match="'plan: range' could not be computed"):
        validate(tmp_path / "snap.parquet", [wrong], run_id="r", as_of=AS_OF)


def test_a_missing_snapshot_is_our_error(tmp_path):
    check = Check("a: required", "a", "required", "warn", "", column="a", kind="not_null")
    with pytest.raises(NightloomError):
        validate(tmp_path / "none.parquet", [check], run_id="r", as_of=AS_OF)


def test_two_counts_that_disagree_are_an_error(tmp_path):
    world = World(tmp_path)
    world.con.execute(f"COPY (SELECT * FROM profile_features) TO '{tmp_path}/snap.parquet'")
    honest = Check(
        "events: range",
        "events",
        "range",
        "warn",
        "",
        '"events"',
        '"events" < 0',
        "events",
        "",
        "between",
        {"min_value": 0},
    )
    lying = Check(
        "events: range",
        "events",
        "range",
        "warn",
        "",
        '"events"',
        '"events" < -1',
        "events",
        "",
        "between",
        {"min_value": 0},
    )
    verdicts = validate(tmp_path / "snap.parquet", [honest], run_id="r", as_of=AS_OF)
    check_results.create_tables(world.con)
    relation = f"read_parquet('{tmp_path}/snap.parquet')"
    check_results.record(world.con, relation, [honest], verdicts)
    with pytest.raises(NightloomError, match="its own SQL"):
        check_results.record(world.con, relation, [lying], verdicts)
