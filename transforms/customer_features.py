"""What an account adds to the features of its churn model: RFM, and a column a segment (retention contract, section 4,
rule 5), all as of any date. DuckDB in, DuckDB out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import duckdb

from contracts.account import Account
from contracts.settings import Rfm
from transforms.quoting import identifier, text_literal
from transforms.rfm import create_rfm
from transforms.segments import create_members

LIVE = "live_tag_changes"
LOWEST = 111
_PREFIX = "segment."


@dataclass(frozen=True, slots=True)
class CustomerFeatures:
    """``rfm``: by which terms customers are scored. ``segments``: id and name of each, the feature's name is the
    segment's after ``segment.``.
    """

    rfm: Rfm
    segments: tuple[tuple[str, str], ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of the columns of segments."""
        return tuple(f"{_PREFIX}{name}" for _, name in self.segments)

    def card(self) -> dict[str, Any]:
        """As JSON values."""
        return {"rfm": asdict(self.rfm), "segments": [list(one) for one in self.segments]}

    @staticmethod
    def restore(card: Mapping[str, Any]) -> CustomerFeatures:
        """The features that ``card`` describes."""
        return CustomerFeatures(Rfm(**card["rfm"]), tuple((str(one), str(name)) for one, name in card["segments"]))


def features_of(account: Account, rfm: Rfm) -> CustomerFeatures | None:
    """Features of a new model; None for an account that configures nothing.

    Names of segments that differ in case alone are told apart, which columns of DuckDB are not.
    """
    if not account.configured:
        return None
    taken: set[str] = set()
    segments = []
    for one in sorted(account.segments, key=lambda segment: (segment.name, segment.segment_id)):
        name = one.name
        while name.lower() in taken:
            name += "~"
        taken.add(name.lower())
        segments.append((one.segment_id, name))
    return CustomerFeatures(rfm, tuple(segments))


def create_live_changes(
    con: duckdb.DuckDBPyConnection, changes: Sequence[tuple[str, str, str, datetime]]
) -> None:
    """Create the table of live tags that came and went: ``changes`` are (segment, profile, enter or exit, time), in
    order; of merged children they are their parents'.
    """
    con.execute(
        f"CREATE OR REPLACE TABLE {LIVE} (number BIGINT, segment_id VARCHAR, profile_id VARCHAR, change VARCHAR, "
        "changed_at TIMESTAMP)"
    )
    if changes:
        con.executemany(
            f"INSERT INTO {LIVE} VALUES (?, ?, ?, ?, ?)", [(number, *one) for number, one in enumerate(changes)]
        )
        con.execute(
            f"UPDATE {LIVE} SET profile_id = m.parent FROM profile_merges AS m WHERE m.child = {LIVE}.profile_id"
        )


def create_customer_features(
    con: duckdb.DuckDBPyConnection, cut: datetime, wanted: CustomerFeatures, table: str = "churn_customers"
) -> None:
    """Create ``table``: one row a profile, with ``rfm_score`` (111 where it has none) and 0 or 1 a segment, at ``cut``.

    Past segments are evaluated at ``cut`` from events before it; a live tag counts when the last change before ``cut``
    made it active. Needs ``create_definitions`` of ``transforms.segments``; segments that are gone are 0.
    """
    create_rfm(con, cut, wanted.rfm, "churn_rfm")
    con.execute(
        "CREATE TABLE IF NOT EXISTS past_segments (segment_id VARCHAR, name VARCHAR, actions INTEGER, "
        "property_pointer VARCHAR, property_value VARCHAR)"
    )
    con.execute(
        "CREATE TABLE IF NOT EXISTS segment_elements (segment_id VARCHAR, position INTEGER, event_type VARCHAR, "
        "action BOOLEAN, days INTEGER, conditions STRUCT(pointer VARCHAR, value VARCHAR)[])"
    )
    con.execute(
        f"CREATE TABLE IF NOT EXISTS {LIVE} (number BIGINT, segment_id VARCHAR, profile_id VARCHAR, change VARCHAR, "
        "changed_at TIMESTAMP)"
    )
    create_members(con, cut, "churn_members")
    flags = "".join(
        f", coalesce(bool_or(t.segment_id = {text_literal(segment)}), false)::INTEGER::DOUBLE AS {identifier(name)}"
        for (segment, _), name in zip(wanted.segments, wanted.flags, strict=True)
    )
    con.execute(
        f"CREATE OR REPLACE TABLE {identifier(table)} AS SELECT p.profile_id, "
        f"coalesce(any_value(r.rfm_score), {LOWEST})::DOUBLE AS rfm_score{flags} "
        "FROM profiles AS p LEFT JOIN churn_rfm AS r USING (profile_id) LEFT JOIN ("
        "SELECT segment_id, profile_id FROM churn_members UNION ALL "
        "SELECT segment_id, profile_id FROM (SELECT segment_id, profile_id, arg_max(change, number) AS change "
        f"FROM {LIVE} WHERE changed_at < $cut::TIMESTAMP GROUP BY segment_id, profile_id) WHERE change = 'enter'"
        ") AS t USING (profile_id) GROUP BY p.profile_id ORDER BY p.profile_id",
        {"cut": cut},
    )
