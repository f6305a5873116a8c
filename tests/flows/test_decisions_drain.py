"""Events of agents reach the warehouse whole, and each once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from contracts.settings import Settings
from decisions.decide import Told
from decisions.epochs import Draw, SessionState
from decisions.happenings import Stamp, decision_event, goal_event, session_event
from flows.stages.drain import drain
from store.layout import Layout
from store.warehouse import open_warehouse, version
from transforms.decision_load import COLUMNS

SETTINGS = Settings()
AT = 1700000000.123457
MOMENT = datetime(2023, 11, 14, 22, 13, 20, 123457)


def stamp(event_id: str, epoch: int | None = 1700000000000) -> Stamp:
    return Stamp(event_id, "default", "home", "s\"1", epoch, AT, AT + 2, given=True)


def events() -> list[tuple[str, dict[str, Any]]]:
    draw = Draw("v,w", "v:a,w:c", ("v:a,w:c", "v:b,w:c"), (0.55, 0.45), 0.55, "exploit", "", "7", "segment", "vip", 3)
    state = SessionState(1700000000000, AT, AT, segment="gold", features={"vip": 1.0, "age": 34.5})
    return [
        ("decisions", decision_event(stamp("d1"), "home", Told(draw, "exploit"), state, live=True)),
        ("goals", goal_event(stamp("g1"), "goal-1", 2.5, 0.0, "limit")),
        ("goals", goal_event(stamp("g2", None), "goal-1", 1.0, 0.0, "unknown_agent")),
        ("decision_sessions", session_event(stamp("s1"), "features", "gold", {"vip": 1.0})),
    ]


def writes(found: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [
        {"seq": at, "entity": entity, "op": "create", "body": orjson.dumps(body).decode(), "received_at": MOMENT}
        for at, (entity, body) in enumerate(found, 1)
    ]


def reader(all_writes: list[dict[str, Any]]) -> Any:
    def between(after: int, up_to: int) -> Iterator[list[dict[str, Any]]]:
        yield [one for one in all_writes if after < one["seq"] <= up_to]

    return between


def rows(layout: Layout, sql: str) -> list[tuple[Any, ...]]:
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        return con.execute(sql).fetchall()


def test_every_column_arrives(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    report = drain(layout, SETTINGS, reader(writes(events())), 4)
    assert (report.rows, report.loaded, report.other) == (4, 4, 0)
    assert rows(layout, "SELECT * FROM decisions") == [(
        "d1", "default", "home", "s\"1", 1700000000000, "home", "v,w", "v:a,w:c", ["v:a,w:c", "v:b,w:c"],
        [0.55, 0.45], 0.55, "exploit", "", "7", "segment", False, "ok", True, "gold", '{"age":34.5,"vip":1.0}', "vip",
        3, MOMENT, MOMENT.replace(second=22), True, "api", False,
    )]
    assert rows(layout, "SELECT * FROM goals ORDER BY event_id") == [
        ("g1", "default", "home", "s\"1", 1700000000000, "goal-1", 2.5, 0.0, "limit", MOMENT,
         MOMENT.replace(second=22), True, "api"),
        ("g2", "default", "home", "s\"1", None, "goal-1", 1.0, 0.0, "unknown_agent", MOMENT,
         MOMENT.replace(second=22), True, "api"),
    ]
    assert rows(layout, "SELECT * FROM decision_sessions") == [
        ("s1", "default", "home", "s\"1", 1700000000000, "features", "gold", '{"vip":1.0}', MOMENT,
         MOMENT.replace(second=22), True),
    ]


def test_the_tables_have_just_the_columns_that_events_have(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    for entity, body in events():
        assert set(body) == set(COLUMNS[entity])
    for table, columns in COLUMNS.items():
        found = rows(layout, f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'")
        assert {name for (name,) in found} == set(columns)


def test_a_repeated_event_is_ignored_and_what_else_is_drained_stays(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    made = writes(events() + events()[:1])
    shop = {"event_id": "e", "event_type": "view", "profile_id": "profile_x", "item_id": "i", "properties": {},
            "created_at": "2024-05-01 10:00:00"}
    made.append({"seq": 6, "entity": "events", "op": "create", "body": json.dumps(shop), "received_at": MOMENT})
    assert drain(layout, SETTINGS, reader(made), 3).loaded == 3
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        before = version(con)
    report = drain(layout, SETTINGS, reader(made), 6)
    assert (report.rows, report.loaded, report.other) == (3, 2, 0)
    assert rows(layout, "SELECT count(*), count(DISTINCT event_id) FROM decisions") == [(1, 1)]
    assert rows(layout, "SELECT count(*) FROM events") == [(1,)]
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        assert version(con) > before
