"""Exposures of A/B tests reach the warehouse once, whatever the order, and go with the profile they are of."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.settings import Settings
from flows.stages.drain import drain
from store.layout import Layout
from store.warehouse import open_warehouse, warehouse_digest

SETTINGS = Settings()
COLUMNS = "test_id, subject_kind, subject, group_name, first_at, crossed_at, run_id"


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 1, day, hour)


def write(seq: int, entity: str, op: str, **body: Any) -> dict[str, Any]:
    return {"seq": seq, "entity": entity, "op": op, "body": json.dumps(body), "received_at": datetime(2026, 2, 1)}


def exposure(seq: int, group: str, when: datetime, run: str = "r1", **subject: str) -> dict[str, Any]:
    micros = int(when.replace(tzinfo=UTC).timestamp() * 1_000_000)
    return write(seq, "exposures", "create", test_id="t", reco_type="profile_to_items", scenario_name="home",
                 group=group, run_id=run, at=micros, **subject)


def drained(home: Path, batches: list[list[dict[str, Any]]]) -> Layout:
    """A warehouse after one drain for each batch, numbered anew."""
    layout = Layout(home)
    layout.create()
    seq = 0
    for batch in batches:
        numbered = [one | {"seq": seq + number} for number, one in enumerate(batch, 1)]
        seq += len(batch)

        def reader(after: int, up_to: int, rows: list[dict[str, Any]] = numbered) -> Iterator[list[dict[str, Any]]]:
            yield [one for one in rows if after < one["seq"] <= up_to]

        drain(layout, SETTINGS, reader, seq)
        assert drain(layout, SETTINGS, reader, seq).rows == 0
    return layout


def rows(layout: Layout, columns: str = COLUMNS) -> list[tuple[Any, ...]]:
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        return con.execute(f"SELECT {columns} FROM exposures ORDER BY ALL").fetchall()


WRITES = [
    exposure(1, "A", at(3), "r3", customer_id="ann"),
    exposure(2, "A", at(2), "r2", customer_id="ann"),
    exposure(3, "B", at(5), "r5", customer_id="ann"),
    exposure(4, "B", at(4), "r4", customer_id="ann"),
    exposure(5, "B", at(1), session_id="ann"),
    exposure(6, "B", at(1), session_id="ann"),
    exposure(7, "A", at(6), session_id="s-2"),
]
MERGED = [
    ("t", "session", "ann", "B", at(1), None, "r1"),
    ("t", "session", "s-2", "A", at(6), None, "r1"),
    ("t", "user", "ann", "A", at(2), at(4), "r2"),
]


def test_one_row_a_subject_with_its_first_group(tmp_path: Path) -> None:
    layout = drained(tmp_path, [WRITES])
    assert rows(layout) == MERGED
    found = rows(layout, "subject_kind, profile_id")
    assert [kind for kind, profile in found if profile is None] == ["session", "session"]
    with open_warehouse(layout, SETTINGS.pipeline) as con:  # an exposure makes no profile
        assert con.execute("SELECT count(*) FROM profiles").fetchall() == [(0,)]


@pytest.mark.parametrize("seed", range(4))
def test_neither_order_nor_batches_matter(tmp_path: Path, seed: int) -> None:
    shuffled = random.Random(seed).sample(WRITES, len(WRITES))
    cut = 1 + seed
    layout = drained(tmp_path / "parts", [shuffled[:cut], shuffled[cut:]])
    assert rows(layout) == MERGED
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        digest = warehouse_digest(con)
    with open_warehouse(drained(tmp_path / "whole", [WRITES]), SETTINGS.pipeline) as con:
        assert warehouse_digest(con) == digest


def test_an_erased_profile_takes_its_exposures_along(tmp_path: Path) -> None:
    resolved = write(0, "session_resolve", "put", session_id="s-2", customer_id="ann", created_at="2026-01-07 00:00:00")
    erase = write(0, "profiles", "erase", customer_id="ann")
    parts = ([[*WRITES, resolved], [erase]], [[*WRITES, resolved, erase]], [WRITES, [resolved, erase]])
    for number, batches in enumerate(parts):
        layout = drained(tmp_path / str(number), batches)
        assert rows(layout, "subject_kind, subject") == [("session", "ann")]


def test_what_is_seen_after_an_erasure_is_new(tmp_path: Path) -> None:
    erase = write(0, "profiles", "erase", customer_id="ann")
    layout = drained(tmp_path, [WRITES[:1], [erase, exposure(9, "B", at(9), customer_id="ann")]])
    assert rows(layout, "subject, group_name, crossed_at") == [("ann", "B", None)]


def test_a_warehouse_of_an_earlier_version_can_be_read_at_once(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    with open_warehouse(layout, SETTINGS.pipeline) as con:
        con.execute("DROP TABLE exposures")
        con.execute("UPDATE warehouse_state SET schema_version = 2")
    with open_warehouse(layout, SETTINGS.pipeline, read_only=True) as con:
        assert warehouse_digest(con)
        assert con.execute("SELECT count(*) FROM exposures").fetchall() == [(0,)]
