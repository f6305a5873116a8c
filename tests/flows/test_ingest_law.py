"""The law of ingest: the order of files, how rows are split over them and their format do not change the warehouse."""

from __future__ import annotations

import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contracts.settings import Ingest, Settings
from flows.stages.ingest import ingest
from store.layout import Layout
from store.warehouse import open_warehouse, warehouse_digest
from transforms.sources import parse_source

NOW = datetime(2026, 1, 1)
# Shrinking would load hundreds of warehouses: the examples are small as they are.
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
SETTINGS = Settings(ingest=Ingest(settle_seconds=0.0, event_types=("view",)))
COLUMNS = {
    "profiles": {
        "customer_id": "VARCHAR",
        "has_charged": "BOOLEAN",
        "status": "VARCHAR",
        "profile_data>>age": "DOUBLE",
        "profile_data>>plan": "VARCHAR",
        "platform_info>>beta": "BOOLEAN",
    },
    "items": {
        "item_id": "VARCHAR",
        "item_category": "VARCHAR",
        "item_name": "VARCHAR",
        "item_description": "VARCHAR",
        "item_price": "BIGINT",
        "weight": "DOUBLE",
        "color": "VARCHAR",
    },
    "events": {
        "event_type": "VARCHAR",
        "customer_id": "VARCHAR",
        "created_at": "TIMESTAMP",
        "event_properties>>item_id": "VARCHAR",
        "event_properties>>payment_method": "VARCHAR",
        "event_properties>>seconds": "BIGINT",
        "event_properties>>note": "VARCHAR",
    },
}
# One row of each kind of value fixes the types in every file.
FIRST = {
    "profiles": ("c-first", True, "active", 30.5, "gold", True),
    "items": ("sku-first", "toys", "first", "the first", 100, 1.5, "red"),
    "events": ("view", "c-first", datetime(2024, 1, 1), "sku-first", None, 15, "hello"),
}
TEXT = st.sampled_from(["gold", "a \"b\"", "x, y", "two\nlines", "é", "tab\tbed", None])
NUMBER = st.sampled_from([0.0, 1.0, 2.5, -3.0, 1e6, 0.1, None])
CUSTOMER = st.sampled_from([f"c-{n}" for n in range(6)])
ITEM = st.sampled_from([f"sku-{n}" for n in range(5)])
TIME = st.integers(0, 50).map(lambda minutes: datetime(2024, 5, 1) + timedelta(minutes=minutes))
PROFILES = st.lists(st.tuples(CUSTOMER, st.booleans(), st.sampled_from(["active", "inactive", None]), NUMBER, TEXT,
                              st.sampled_from([True, False, None])), max_size=6)
ITEMS = st.lists(
    st.tuples(
        ITEM, st.just("toys"), st.sampled_from(["n1", "n2"]), st.just("d"), st.sampled_from([0, 100, 250]), NUMBER, TEXT
    ),
    max_size=6,
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["view", "charged"]),
        CUSTOMER,
        TIME,
        ITEM,
        st.sampled_from(["visa", None]),
        st.sampled_from([0, 7, -3, None]),
        TEXT,
    ),
    max_size=14,
)


def write(folder: Path, entity: str, name: str, rows: list[tuple[object, ...]], format: str) -> None:
    """One file of rows in one format, the types fixed by its first row."""
    columns = COLUMNS[entity]
    with duckdb.connect() as con:
        con.execute(
            f"CREATE TABLE t ({', '.join(f'{chr(34)}{name}{chr(34)} {kind}' for name, kind in columns.items())})"
        )
        con.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(columns))})", rows)
        path = folder / entity / f"{name}.{format}"
        if format == "csv":
            con.execute(f"COPY t TO '{path}' (HEADER true)")
        elif format == "jsonl":
            con.execute(f"COPY t TO '{path}' (FORMAT json)")
        else:
            con.execute(f"COPY t TO '{path}' (FORMAT parquet)")


def groups(rows: list[tuple[object, ...]], key: int | None) -> list[list[tuple[object, ...]]]:
    """Rows that must stay in one file: equal events, or rows of one id."""
    found: dict[object, list[tuple[object, ...]]] = {}
    for row in rows:
        found.setdefault(row if key is None else row[key], []).append(row)
    return list(found.values())


def load(rows: dict[str, list[tuple[object, ...]]], rng: random.Random, *, files: int, nights: int) -> tuple[str, int]:
    """Digest and held rows after loading the rows in ``files`` files per entity, in random order, over ``nights``
    ingests.
    """
    with tempfile.TemporaryDirectory() as home:
        layout = Layout(Path(home))
        layout.create()
        deliveries = []
        for entity, found in rows.items():
            parts: list[list[tuple[object, ...]]] = [[FIRST[entity]] for _ in range(files)]
            pieces = groups(found, None if entity == "events" else 0)
            rng.shuffle(pieces)
            for piece in pieces:
                rng.choice(parts).extend(piece)
            deliveries += [(entity, part) for part in parts]
        rng.shuffle(deliveries)
        share = -(-len(deliveries) // nights)
        for night in range(nights):
            for at, (entity, part) in enumerate(deliveries[night * share : (night + 1) * share]):
                write(
                    layout.inbox,
                    entity,
                    f"{rng.randrange(10**6)}-{night}-{at}",
                    part,
                    rng.choice(["csv", "jsonl", "parquet"]),
                )
            report = ingest(layout, SETTINGS, (), NOW)
            assert all(one.status in ("loaded", "duplicate") for one in report.loads), report.loads
        with open_warehouse(layout, SETTINGS.pipeline) as con:
            held = con.execute(
                "SELECT count(*) FROM quarantine WHERE resolved_at IS NULL AND rule <> 'duplicate_in_file'"
            ).fetchone()
            ids = con.execute(
                "SELECT (SELECT count(*) - count(DISTINCT event_id) FROM events), (SELECT count(*) - count(DISTINCT "
                "item_id) FROM items), "
                "(SELECT count(*) - count(DISTINCT profile_id) FROM profiles)"
            ).fetchone()
            assert ids == (0, 0, 0)
            return warehouse_digest(con), int(held[0])  # type: ignore[index]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=QUICK)
@given(profiles=PROFILES, items=ITEMS, events=EVENTS, seed=st.integers(0, 2**32))
def test_order_splitting_format_and_nights_do_not_matter(profiles: list, items: list, events: list, seed: int) -> None:  # type: ignore[type-arg]
    rng = random.Random(seed)
    rows = {"profiles": profiles, "items": items, "events": events}
    first = load(rows, rng, files=1, nights=1)
    assert load(rows, rng, files=3, nights=1) == first
    assert load(rows, rng, files=2, nights=3) == first


SOURCE = """
name: shop
match: shop/*
read:
  types: {amount: DOUBLE, sold: TIMESTAMP, customer: VARCHAR, sku: VARCHAR}
entities:
  - entity: items
    columns:
      {item_id: sku, item_name: title, item_price: round(amount)::BIGINT, properties.tags: "string_split(tags, '|')"}
    updated_at: sold
    skip: [{rule: untitled, when: title IS NULL}]
  - entity: profiles
    columns: {customer_id: customer, profile_data.city: city}
    updated_at: sold
    skip: [{rule: nobody, when: customer IS NULL}]
  - entity: events
    columns: {event_type: "'charged'", customer_id: customer, created_at: sold, item_id: sku, properties.amount: amount}
    where: amount > 0
"""
SALES = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3", None]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["A", "B", None]),
        st.sampled_from([1.0, 2.5, -1.0]),
        TIME,
        st.sampled_from(["x|y", "x", None]),
        st.sampled_from(["Rome", "Oslo", None]),
    ),
    min_size=1,
    max_size=15,
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=QUICK)
@given(sales=SALES, seed=st.integers(0, 2**32))
def test_a_mapped_file_may_be_split_and_shuffled(sales: list, seed: int) -> None:  # type: ignore[type-arg]
    parsed = parse_source(yaml.safe_load(SOURCE), "shop.yaml")
    assert parsed.source is not None, parsed.problems
    rng = random.Random(seed)
    columns = {
        "customer": "VARCHAR",
        "sku": "VARCHAR",
        "title": "VARCHAR",
        "amount": "DOUBLE",
        "sold": "TIMESTAMP",
        "tags": "VARCHAR",
        "city": "VARCHAR",
    }

    def digest(files: int, format: str) -> str:
        with tempfile.TemporaryDirectory() as home, duckdb.connect() as con:
            layout = Layout(Path(home))
            layout.create()
            (layout.inbox / "shop").mkdir()
            parts: list[list[tuple[object, ...]]] = [[] for _ in range(files)]
            pieces = groups(sales, None)
            rng.shuffle(pieces)
            for piece in pieces:
                rng.choice(parts).extend(piece)
            for at, part in enumerate(part for part in parts if part):
                con.execute(
                    f"CREATE OR REPLACE TABLE t ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
                )
                con.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", part)
                con.execute(f"COPY t TO '{layout.inbox}/shop/{at}.{format}'")
            report = ingest(layout, SETTINGS, [parsed.source], NOW)  # type: ignore[list-item]
            for one in report.loads:
                assert one.status == "loaded", one
                assert one.rows_in == one.rows_loaded + one.rows_already + one.rows_skipped + one.rows_quarantined
            with open_warehouse(layout, SETTINGS.pipeline) as opened:
                return warehouse_digest(opened)

    whole = digest(1, "parquet")
    assert digest(3, "parquet") == whole
    assert digest(2, "csv") == whole
