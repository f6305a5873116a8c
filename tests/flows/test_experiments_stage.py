"""What the night says of A/B tests: who counts, in which group, when, and what converts them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from contracts.published import TABLE_BY_NAME
from contracts.settings import Experiments, Settings
from flows.stages.build import build
from flows.stages.experiments import judge
from scenarios.graph import Graph
from scenarios.spec import AbTest, Definition
from store.layout import Layout
from store.warehouse import open_warehouse
from store.workbench import open_workbench

SETTINGS = Experiments(goal_event_types=("charged", "signed"), window_days=2)
AS_OF = datetime(2026, 1, 10)
START = datetime(2026, 1, 1, 12)


class Shop:
    """A warehouse that is filled by hand, and judged."""

    def __init__(self, home: Path) -> None:
        self.layout = Layout(home)
        self.layout.create()
        self.script: list[tuple[str, list[Any]]] = []

    def exposed(
        self, subject: str, group: str, at: datetime, kind: str = "user", crossed: datetime | None = None
    ) -> None:
        self.script.append(("INSERT INTO exposures VALUES ('t', ?, ?, ?, ?, ?, ?, 'profile_to_items', 'home', 'r')",
                            [kind, subject, subject if kind == "user" else None, group, at, crossed]))

    def happened(self, profile: str, at: datetime, kind: str = "charged") -> None:
        self.script.append(("INSERT INTO events VALUES (?, ?, ?, 'i', ?, '{}', 0)",
                            [f"event_{len(self.script)}", kind, profile, at]))

    def happened_in(self, session: str, at: datetime) -> None:
        self.script.append(("INSERT INTO session_events VALUES (?, ?, 'charged', 'i', ?, '{}')",
                            [f"event_{len(self.script)}", session, at]))

    def resolved(self, session: str, profile: str, at: datetime) -> None:
        self.script.append(("INSERT INTO sessions VALUES (?, ?, ?)", [session, profile, at]))

    def judged(
        self, as_of: datetime = AS_OF, settings: Experiments = SETTINGS, graph: Graph = Graph()  # noqa: B008 - frozen
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The rows of both tables."""
        whole = replace(Settings(), experiments=settings)
        with open_warehouse(self.layout, whole.pipeline) as con:
            for statement, values in self.script:
                con.execute(statement, values)
            self.script = []
        with open_workbench(self.layout, whole, "run") as con:
            build(con, as_of, whole)
            count = judge(con, settings, as_of, graph)
            rows = dicts(con, "experiments")
            assert len(rows) == count
            return rows, dicts(con, "experiment_days")


def dicts(con: duckdb.DuckDBPyConnection, table: str) -> list[dict[str, Any]]:
    found = con.execute(f"SELECT * FROM {table} ORDER BY ALL")
    names = [column[0] for column in found.description or []]
    assert names == [column.name for column in TABLE_BY_NAME[table].columns]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield Shop(tmp_path)


def counts(row: dict[str, Any]) -> dict[str, int]:
    return {f"{name}_{group}": row[f"{name}_{group}"] for name in ("subjects", "judged", "converted") for group in "ab"}


def test_what_converts_a_subject(shop: Shop) -> None:
    day, second = timedelta(days=1), timedelta(microseconds=1)
    for number, (moment, kind) in enumerate([
        (START + day, "charged"), (START + 2 * day - second, "signed"),  # both count
        (START, "charged"), (START - day, "charged"), (START + 2 * day, "charged"), (START + day, "view"),
    ]):
        shop.exposed(f"p{number}", "B", START)
        shop.happened(f"p{number}", moment, kind)
    shop.happened("p0", START + day, "signed")  # once is enough
    shop.happened("nobody", START + day)
    (row,), days = shop.judged()
    assert counts(row) == {"subjects_a": 0, "subjects_b": 6, "judged_a": 0, "judged_b": 6, "converted_a": 0,
                           "converted_b": 2}
    assert row["rate_a"] is None
    assert row["difference"] is None
    assert row["rate_b"] == 2 / 6
    assert (row["low"], row["high"], row["p_value"], row["verdict"]) == (-1.0, 1.0, 1.0, "no decision yet")
    assert [one["day"] for one in days] == [date(2026, 1, number) for number in range(1, 10)]
    assert [one["judged_b"] for one in days] == [0, 0, 6, 6, 6, 6, 6, 6, 6]


def test_a_subject_is_judged_when_its_window_has_passed(shop: Shop) -> None:
    shop.exposed("p1", "A", START)
    shop.happened("p1", START + timedelta(hours=1))
    before = START + timedelta(days=2)
    assert counts(shop.judged(before)[0][0])["judged_a"] == 0
    assert counts(shop.judged(before)[0][0])["subjects_a"] == 1
    after, _ = shop.judged(before + timedelta(seconds=1))
    assert counts(after[0]) == {"subjects_a": 1, "subjects_b": 0, "judged_a": 1, "judged_b": 0, "converted_a": 1,
                                "converted_b": 0}
    assert shop.judged(START)[0] == []


def test_sessions_count_as_the_profile_that_they_turn_out_to_be(shop: Shop) -> None:
    hour = timedelta(hours=1)
    shop.exposed("s1", "A", START, "session")
    shop.resolved("s1", "p1", START + 3 * hour)
    shop.happened("p1", START + 2 * hour)
    shop.exposed("p1", "B", START + 4 * hour)  # the same person again, in the other group
    shop.exposed("s2", "B", START, "session")  # nobody's: what happened in it counts
    shop.happened_in("s2", START + hour)
    shop.exposed("s3", "B", START, "session")
    (row,), _ = shop.judged()
    assert counts(row) == {"subjects_a": 1, "subjects_b": 2, "judged_a": 1, "judged_b": 2, "converted_a": 1,
                           "converted_b": 1}
    assert row["crossovers"] == 1
    (early,), _ = shop.judged(START + 2 * hour)  # neither resolved nor exposed a second time
    assert (counts(early)["subjects_a"], counts(early)["subjects_b"], early["crossovers"]) == (1, 2, 0)


def test_a_subject_seen_in_two_groups_counts_in_the_first(shop: Shop) -> None:
    shop.exposed("p1", "A", START, crossed=START + timedelta(days=3))
    (row,), _ = shop.judged()
    assert (row["subjects_a"], row["subjects_b"], row["crossovers"]) == (1, 0, 1)
    assert shop.judged(START + timedelta(days=2))[0][0]["crossovers"] == 0


def test_stored_tests_are_listed_before_anybody_meets_them(shop: Shop) -> None:
    split = AbTest("u", "a", "b")
    stored = {("profile_to_items", name): Definition("profile_to_items", name, split, {}, {}) for name in ("y", "x")}
    shop.exposed("p1", "A", START)
    gone, waiting = shop.judged(graph=Graph(stored))[0]
    assert (gone["test_id"], gone["running"], gone["scenarios"]) == ("t", False, ["profile_to_items/home"])
    assert (waiting["test_id"], waiting["running"]) == ("u", True)
    assert waiting["scenarios"] == ["profile_to_items/x", "profile_to_items/y"]
    assert (waiting["subjects_a"], waiting["first_at"], waiting["verdict"]) == (0, None, "no decision yet")


def test_a_clear_winner_and_a_broken_split_are_told(shop: Shop) -> None:
    for number in range(400):
        group = "AB"[number % 2]
        shop.exposed(f"p{number:03}", group, START + timedelta(seconds=number))
        if number % (4 if group == "B" else 20) in (1, 2):
            shop.happened(f"p{number:03}", START + timedelta(hours=1))
    (row,), days = shop.judged()
    assert (row["verdict"], row["converted_a"], row["converted_b"]) == ("B is better", 20, 100)
    assert row["low"] > 0
    assert row["p_value"] < SETTINGS.level
    assert {name: days[-1][name] for name in ("low", "high", "p_value")} == {
        name: row[name] for name in ("low", "high", "p_value")
    }
    for number in range(400, 600):
        shop.exposed(f"p{number:03}", "A", START)
    assert shop.judged()[0][0]["verdict"] == "the split is broken: do not trust"
