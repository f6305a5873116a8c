"""Where files and the API touch the same property of a row, the later arrival wins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import duckdb
import pytest

from contracts.settings import Recommendations
from flows.stages import drain
from flows.stages.drained import Declared
from store.journal import StoredWrite
from store.warehouse import SCHEMA_VERSION, create_schema
from transforms.interactions import unlisted_types
from transforms.tables import build

AS_OF = datetime(2026, 6, 1)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("ATTACH ':memory:' AS warehouse; USE warehouse")
        create_schema(con)
        yield con


def deliver(con: duckdb.DuckDBPyConnection, load: int, at: str, **row: Any) -> None:
    """What a load leaves of one item, with the time it was loaded."""
    con.execute(
        "INSERT INTO file_loads (load_id, entity, status, loaded_at) VALUES ($load, 'items', 'loaded', $at)",
        {"load": load, "at": at},
    )
    values = {
        "item_id": "a", "status": "active", "properties": "{}", "created_at": at, "updated_at": at, "dated": True,
        **row, "load_id": load,
    }
    con.execute(f"DELETE FROM items WHERE item_id = '{values['item_id']}'")
    con.execute(f"INSERT INTO items BY NAME SELECT {', '.join(f'${name} AS {name}' for name in values)}", values)


def write(con: duckdb.DuckDBPyConnection, *writes: tuple[str, str, str, dict[str, Any]]) -> None:
    """Drain writes of (received, entity, op, body)."""
    start = drain.drained_up_to(con)
    stored = [
        StoredWrite(start + at, entity, "", op, json.dumps(body), None, datetime.fromisoformat(received))
        for at, (received, entity, op, body) in enumerate(writes, 1)
    ]
    con.begin()
    drain._copy(con, [stored], start, start + len(stored), [Declared("items", "price", "number")])
    con.commit()


def item(con: duckdb.DuckDBPyConnection, columns: str = "item_name, item_price, properties") -> tuple[Any, ...] | None:
    con.execute("USE memory")
    build(con, AS_OF)
    found = con.execute(f"SELECT {columns} FROM items WHERE item_id = 'a'").fetchone()
    con.execute("USE warehouse")
    return found


def patch(received: str, **properties: Any) -> tuple[str, str, str, dict[str, Any]]:
    return received, "items", "patch", {"item_id": "a", "properties": properties}


def test_each_property_goes_by_its_last_arrival(con: duckdb.DuckDBPyConnection) -> None:
    deliver(con, 1, "2026-01-01", item_name="file", item_price=5, properties='{"Color":"red","size":1}')
    write(con, patch("2026-01-02", color="blue", item_name="api", extra=[1]))
    assert item(con) == ("api", 5, '{"Color":"blue","extra":[1],"size":1}'), "the file's spelling stays"
    deliver(con, 2, "2026-01-03", item_name="file again", item_price=6, properties='{"Color":"green"}')
    assert item(con) == ("file again", 6, '{"Color":"green","extra":[1]}'), "a file takes only what it has"
    write(con, patch("2026-01-02", size=3), patch("2026-01-04", item_price=2.5, color=None))
    assert item(con) == ("file again", None, '{"extra":[1],"item_price":2.5,"size":3}'), "no fraction in the column"


def test_a_put_replaces_and_a_deletion_lasts_until_something_arrives(con: duckdb.DuckDBPyConnection) -> None:
    deliver(con, 1, "2026-01-01", item_name="file", properties='{"size":1}')
    write(con, ("2026-01-02", "items", "put", {"item_id": "a", "properties": {"price": 1}}))
    assert item(con) == (None, None, '{"price":1}')
    write(con, ("2026-01-03", "items", "delete", {"item_id": "a"}))
    assert item(con) is None
    deliver(con, 2, "2026-01-04", item_name="back")
    assert item(con) == ("back", None, "{}")
    write(con, ("2026-01-05", "items", "delete", {"item_id": "a"}), patch("2026-01-06", price=2))
    assert item(con) == (None, None, '{"price":2}')


def test_types_of_declared_properties_are_known_while_they_have_values(con: duckdb.DuckDBPyConnection) -> None:
    write(con, patch("2026-01-02", price=2))
    assert con.execute("SELECT * FROM property_types").fetchall() == [("items", "properties", "price", "number")]
    write(con, ("2026-01-03", "item_property", "delete", {"property_name": "price"}))
    assert con.execute("SELECT * FROM property_types").fetchall() == []
    assert item(con) == (None, None, "{}")


def test_who_only_did_something_is_a_profile_to_learn_from(con: duckdb.DuckDBPyConnection) -> None:
    write(con, ("2026-01-02", "events", "create", {
        "event_id": "e", "event_type": "view", "profile_id": "u", "item_id": "a", "at": 0, "properties": {},
    }))
    con.execute("USE memory")
    build(con, AS_OF)
    minted = "'profile_' || left(sha256('u' || chr(10) || '0'), 32)"
    assert con.execute(f"SELECT profile_id = {minted}, customer_id, implicit FROM profiles").fetchall() == [
        (True, "u", True)
    ]
    assert con.execute(f"SELECT profile_id = {minted} FROM events").fetchall() == [(True,)]
    assert unlisted_types(con, Recommendations()) == ["view"], "every type of interaction counts"
    assert unlisted_types(con, Recommendations(event_weights={"view": 0.1})) == []


def test_a_warehouse_of_the_first_version_gets_the_new_tables() -> None:
    with duckdb.connect() as con:
        create_schema(con)
        for table in ("written_rows", "written_values", "session_events", "sessions"):
            con.execute(f"DROP TABLE {table}")
        con.execute("UPDATE warehouse_state SET schema_version = 1")
        create_schema(con)
        assert con.execute("SELECT count(*) FROM written_rows").fetchall() == [(0,)]
        assert con.execute("SELECT schema_version FROM warehouse_state").fetchall() == [(SCHEMA_VERSION,)]
