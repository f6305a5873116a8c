"""Which profiles a run merged, as its webhook tells them (retention contract, sections 5.1 and 15)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from store.exports import open_table
from store.journal import Journal
from store.layout import Layout


def merged_profiles(folder: Path, run_id: str) -> list[dict[str, Any]]:
    """One entry a parent that got children in this run, by parent; none for a run from before there were merges."""
    with duckdb.connect() as con:
        if not (open_table(con, folder, "profile_merges", "merges") and open_table(con, folder, "profiles", "known")):
            return []
        rows = con.execute(
            "SELECT m.parent, p.customer_id, m.key, m.value, list({'profile_id': m.child, "
            "'customer_id': m.child_customer_id} ORDER BY m.child) FROM merges AS m "
            "LEFT JOIN known AS p ON p.profile_id = m.parent WHERE m.merged_by = $run AND m.merged_into = m.parent "
            "GROUP BY m.parent, p.customer_id, m.key, m.value ORDER BY m.parent, m.value",
            {"run": run_id},
        ).fetchall()
    names = ("parent_profile_id", "parent_customer_id", "authenticated_id_key", "authenticated_id_value")
    return [{**dict(zip(names, row[:4], strict=True)), "merged_profiles": row[4]} for row in rows]


def published_merges(layout: Layout, journal: Journal) -> Path | None:
    """The file of the published run's ``profile_merges``, None without one."""
    pointer = journal.pointer()
    if pointer is None:
        return None
    path = layout.run(pointer.run_id) / "tables" / "profile_merges.parquet"
    return path if path.is_file() else None
