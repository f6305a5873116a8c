"""Makes the serving pack of a staged run from its tables and from the lists that precompute left, in bounded memory.

Every profile and item stands at its ``profile_index`` and ``item_index``. Equal tables give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.errors import VerificationFailed
from contracts.progress import Progress, Silent
from contracts.published import TABLE_BY_NAME
from contracts.settings import Settings
from store.pack import customers, fragments
from store.pack.agent_report_tables import write_agent_reports
from store.pack.arrays import create_array, flush, map_array, save_array
from store.pack.blobs import BlobWriter
from store.pack.history import write_history
from store.pack.ids import SQL_DIGEST, write_index
from store.pack.listing_tables import write_listing
from store.pack.log_tables import write_logs
from store.pack.policy_tables import write_policies
from store.pack.properties import DeclaredTypes, write_properties
from store.pack.read import VERSION
from store.pack.strings import ends_and_bytes

BATCH = 50_000


def build_pack(
    target: Path, settings: Settings, scratch: Path, progress: Progress | None = None,
    types: DeclaredTypes | None = None,
) -> None:
    """Complete ``target/pack`` from ``target/tables``; ``scratch`` is a folder for spilling, ``types`` what is known of
    the types of item properties beside their values.

    Expects in ``target/pack`` what precompute wrote: ``lists_items.npy`` int32 (profiles, K) and ``lists_scores.npy``
    float32, ``neighbours_items.npy`` and ``neighbours_scores.npy`` (items, K), items padded with -1, and
    ``popularity.npy`` int32 (items, best first); and those of further recommenders, named in ``algorithms.json``, as
    ``lists.<model>_items.npy`` and ``neighbours.<model>_items.npy``. Raises VerificationFailed when arrays and tables
    do not fit.
    """
    build = _Build(target, settings, scratch, types or DeclaredTypes())
    steps = (
        build.profiles, build.items, build.properties, build.churn, build.customers, build.seen, build.history,
        build.logs, build.models, build.popularity, build.policies, build.finish,
    )
    for number, step in enumerate(steps):
        (progress or Silent()).step("serving pack", number, len(steps), step.__name__)
        step()
    (progress or Silent()).step("serving pack", len(steps), len(steps))
    build.close()


class _Build:
    def __init__(self, target: Path, settings: Settings, scratch: Path, types: DeclaredTypes) -> None:
        self.tables = target / "tables"
        self.pack = target / "pack"
        self.settings = settings
        self.types = types
        self.con = duckdb.connect(config={
            "memory_limit": settings.pipeline.memory_limit, "threads": settings.pipeline.threads,
            "temp_directory": str(scratch),
        })
        for name in (
            "profiles", "items", "churn", "interactions", "ratings", "session_events", "sessions",
            "recommendation_lists", "item_neighbour_lists",
        ):
            self.con.read_parquet(str(self.tables / f"{name}.parquet")).create_view(name)
        for name in customers.TABLES:
            path = self.tables / f"{name}.parquet"
            found = self.con.read_parquet(str(path)) if path.exists() else self.con.sql(customers.empty(name))
            found.create_view(name)
        months = sorted((self.tables / "events").glob("*.parquet"))
        if months:
            self.con.read_parquet([str(path) for path in months]).create_view("events")
        else:
            columns = ", ".join(f"NULL::{c.type} AS {c.name}" for c in TABLE_BY_NAME["events"].columns)
            self.con.execute(f"CREATE VIEW events AS SELECT {columns} WHERE false")
        self.profile_count = self._count("profiles")
        self.item_count = self._count("items")
        self.model_names: list[str] = []
        self.property_index: list[dict[str, Any]] = []
        self.event_types: list[str] = []

    def close(self) -> None:
        self.con.close()

    def _count(self, table: str) -> int:
        row = self.con.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0]) if row else 0

    def _batches(self, query: str, index: str, rows: int) -> Iterator[pa.RecordBatch]:
        """Rows of a query whose first column must run 0, 1, 2, ... up to ``rows``."""
        at = 0
        for batch in self.con.sql(query).to_arrow_reader(BATCH):
            found = batch.column(0).to_numpy(zero_copy_only=False)
            if not np.array_equal(found, np.arange(at, at + len(found))):
                raise VerificationFailed(f"{index} does not count up from 0 without gaps", hint="run the night again")
            at += len(found)
            yield batch
        if at != rows:
            raise VerificationFailed(f"{index}: {at} rows where {rows} are expected", hint="run the night again")

    def _write(self, query: str, index: str, rows: int, blobs: list[str], digests: int) -> list[npt.NDArray[np.uint64]]:
        """Write string columns 1.. of a query as blobs; the ``digests`` columns after them are returned as arrays."""
        columns = [np.empty(rows, np.uint64) for _ in range(digests)]
        at = 0
        with ExitStack() as stack:
            writers = [stack.enter_context(BlobWriter(self.pack, name, rows)) for name in blobs]
            for batch in self._batches(query, index, rows):
                for writer, strings in zip(writers, batch.columns[1:], strict=False):
                    writer.write(*ends_and_bytes(strings))
                for column, numbers in zip(columns, batch.columns[1 + len(blobs) :], strict=True):
                    column[at : at + batch.num_rows] = numbers.to_numpy(zero_copy_only=False)
                at += batch.num_rows
        return columns

    def profiles(self) -> None:
        customer = SQL_DIGEST.format(column="customer_id")
        query = (
            f"SELECT profile_index, {fragments.PROFILE}, profile_id, coalesce(customer_id, ''), "
            f"{SQL_DIGEST.format(column='profile_id')}, CASE WHEN customer_id IS NULL THEN 0 ELSE {customer} END "
            "FROM profiles"
        )
        blobs = ["profiles", "profile_ids", "customer_ids"]
        write_index(self.pack, "profile", self._write(query, "profile_index", self.profile_count, blobs, digests=2))

    def items(self) -> None:
        query = (
            f"SELECT item_index, {fragments.ITEM}, {fragments.LISTED}, item_id, {SQL_DIGEST.format(column='item_id')} "
            "FROM items"
        )
        blobs = ["items", "listed", "item_ids"]
        write_index(self.pack, "item", self._write(query, "item_index", self.item_count, blobs, digests=1))
        stopped = list(self.settings.recommendations.item_stop_list)
        eligible = self.con.execute(
            "SELECT (status = 'active' AND NOT list_contains($stopped::VARCHAR[], item_id)) AS eligible "
            "FROM items ORDER BY item_index",
            {"stopped": stopped},
        ).fetchnumpy()["eligible"]
        save_array(self.pack / "eligible.npy", np.ma.filled(eligible, False).astype(np.uint8))

    def properties(self) -> None:
        self.property_index = write_properties(self.con, self.pack, self.item_count, self.types)

    def history(self) -> None:
        self.event_types = write_history(self.con, self.pack, self.profile_count)

    def churn(self) -> None:
        bad = self.con.execute("SELECT count(*) FROM churn WHERE NOT isfinite(churn_score)").fetchone()
        if bad and bad[0]:
            raise VerificationFailed(f"{bad[0]} churn scores are not finite", hint="look at the churn model's gate")
        query = (
            f"SELECT profile_index, CASE WHEN churn.profile_id IS NULL THEN '' ELSE {fragments.CHURN} END "
            "FROM profiles LEFT JOIN churn USING (profile_id) ORDER BY profile_index"
        )
        self._write(query, "profile_index", self.profile_count, ["churn"], digests=0)

    def customers(self) -> None:
        """What the retention dialect adds to each profile, and the profiles that were merged into others."""
        self._write(customers.CUSTOMERS, "profile_index", self.profile_count, ["customers"], digests=0)
        blobs = ["children", "child_ids", "child_customer_ids"]
        merged = self._count("profile_merges")
        write_index(self.pack, "child", self._write(customers.CHILDREN, "position", merged, blobs, digests=2))

    def seen(self) -> None:
        """Items not to be shown to each profile again: rows ``seen_offsets[i]`` to ``seen_offsets[i + 1]`` of
        ``seen_items``.
        """
        counts = np.zeros(self.profile_count, np.uint64)
        total = self._count("interactions WHERE excludes")
        items = create_array(self.pack / "seen_items.npy", (total,), np.int32)
        at = last = 0
        query = "SELECT profile_index, item_index FROM interactions WHERE excludes"
        for batch in self.con.sql(query).to_arrow_reader(BATCH):
            profiles = batch.column(0).to_numpy()
            if len(profiles) and (profiles[0] < last or (np.diff(profiles) < 0).any()):
                raise VerificationFailed("interactions are not ordered by profile_index", hint="run the night again")
            first, last = int(profiles[0]), int(profiles[-1])
            counts[first : last + 1] += np.bincount(profiles - first).astype(np.uint64)
            items[at : at + batch.num_rows] = batch.column(1).to_numpy()
            at += batch.num_rows
        flush(items)
        ends = np.cumsum(counts, dtype=np.uint64)
        save_array(self.pack / "seen_offsets.npy", np.concatenate([np.zeros(1, np.uint64), ends]))

    def logs(self) -> None:
        """What happened, row by row; ratings and sessions; and what lists of profiles and items go by."""
        write_logs(self.con, self.pack, self.profile_count, self.item_count)
        write_listing(self.con, self.pack)

    def models(self) -> None:
        """Which model ordered each profile's list and each item's neighbours, and which lists are cold (all of those
        without a row).
        """
        names = self.con.execute(
            "SELECT model FROM recommendation_lists UNION SELECT model FROM item_neighbour_lists"
        ).fetchall()
        self.model_names = sorted({"popular", *(str(name) for (name,) in names)})
        query = (
            "SELECT profiles.profile_index, coalesce(list_position($names::VARCHAR[], lists.model), $popular) - 1, "
            "coalesce(lists.cold, true)::UTINYINT FROM profiles "
            "LEFT JOIN recommendation_lists AS lists USING (profile_id) ORDER BY 1"
        )
        models = np.zeros(self.profile_count, np.uint8)
        cold = np.ones(self.profile_count, np.uint8)
        popular = self.model_names.index("popular") + 1
        found = self.con.execute(query, {"names": self.model_names, "popular": popular}).fetchnumpy()
        values = list(found.values())
        models[:], cold[:] = values[1], values[2]
        save_array(self.pack / "lists_model.npy", models)
        save_array(self.pack / "lists_cold.npy", cold)
        found = self.con.execute(
            "SELECT coalesce(list_position($names::VARCHAR[], lists.model), $popular) - 1 AS model FROM items "
            "LEFT JOIN item_neighbour_lists AS lists USING (item_id) ORDER BY items.item_index",
            {"names": self.model_names, "popular": popular},
        ).fetchnumpy()
        save_array(self.pack / "neighbours_model.npy", np.ma.getdata(found["model"]).astype(np.uint8))

    def popularity(self) -> None:
        """The order over the whole catalogue: what precompute ranked, then the rest by index; and each item's place."""
        ranked = map_array(self.pack / "popularity.npy").astype(np.int64)
        within = not len(ranked) or 0 <= ranked.min() <= ranked.max() < self.item_count
        if not within or len(np.unique(ranked)) != len(ranked):
            raise VerificationFailed("popularity.npy does not order the items of this run", hint="run the night again")
        rest = np.setdiff1d(np.arange(self.item_count), ranked)
        order = np.concatenate([ranked, rest]).astype(np.int32)
        rank = np.empty(self.item_count, np.int32)
        rank[order] = np.arange(self.item_count, dtype=np.int32)
        save_array(self.pack / "popularity_order.npy", order)
        save_array(self.pack / "popularity_rank.npy", rank)

    def policies(self) -> None:
        """The rows by which agents decide, earlier ones that they can be rolled back to, and what reports say."""
        write_policies(self.tables.parent)
        write_agent_reports(self.tables.parent)

    def finish(self) -> None:
        clean = {
            "lists": self._check_lists("lists", self.profile_count),
            "neighbours": self._check_lists("neighbours", self.item_count),
        }
        facts = {
            "clean": clean,
            "version": VERSION, "profiles": self.profile_count, "items": self.item_count, "models": self.model_names,
            "properties": self.property_index, "event_types": self.event_types, "algorithms": self._algorithms(),
            "rows": [],
        }
        (self.pack / "pack.json").write_text(json.dumps(facts, sort_keys=True, indent=1) + "\n")

    def _algorithms(self) -> dict[str, list[str]]:
        """Recommenders whose lists are there, by what they order, the serving one first."""
        path = self.pack / "algorithms.json"
        found: dict[str, list[str]] = json.loads(path.read_text()) if path.exists() else {}
        for kind, rows in (("lists", self.profile_count), ("neighbours", self.item_count)):
            for name in found.get(kind, [])[1:]:
                self._check_items(f"{kind}.{name}", rows)
        return found

    def _check_items(self, name: str, rows: int) -> npt.NDArray[np.int32]:
        """The mapped lists of a name; refuses a wrong shape and items that the run does not have."""
        items = map_array(self.pack / f"{name}_items.npy")
        if items.dtype != np.int32 or items.shape[:1] != (rows,) or items.ndim != 2:
            raise VerificationFailed(
                f"{name}: {items.shape} {items.dtype} items for {rows} rows", hint="run the night again"
            )
        for start in range(0, rows, BATCH):
            part = items[start : start + BATCH]
            if part.size and not -1 <= part.min() <= part.max() < self.item_count:
                raise VerificationFailed(f"{name} name items that this run does not have", hint="run the night again")
        return items

    def _check_lists(self, name: str, rows: int) -> bool:
        """Refuse lists of a wrong shape; true when all items are eligible and all padding is at the end."""
        items, scores = self._check_items(name, rows), map_array(self.pack / f"{name}_scores.npy")
        if scores.dtype != np.float32 or items.shape != scores.shape:
            raise VerificationFailed(
                f"{name}: {items.shape} items and {scores.shape} {scores.dtype} scores", hint="run the night again"
            )
        eligible = np.append(map_array(self.pack / "eligible.npy"), np.uint8(1))
        clean = True
        for start in range(0, rows, BATCH):
            part = items[start : start + BATCH]
            padding_inside = (part[:, :-1] < 0) & (part[:, 1:] >= 0)
            clean = clean and bool(eligible[part].all()) and not padding_inside.any()
        return clean
