"""What a night learns and reports of agents, from the events of the warehouse: credit, exposures, sums.

All sums are of whole numbers (values in millionths, weights in billionths), so that they are the same in any order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import duckdb

from decisions.patterns import Feature
from transforms import tables

WINDOW_DAYS = 90
TONIGHT, SERVING = "tonight", "serving"


@dataclass(frozen=True, slots=True)
class AgentTerms:
    """What a night knows of an agent beside its events. ``owner`` None: the usual one; ``reset_at``: what it received
    before does not count.
    """

    agent: str
    owner: str | None
    window_days: int
    reward_model: str
    reset_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AgentRates:
    """The shares that an agent split its visits by, from a moment on (4.2)."""

    agent: str
    since: datetime
    control: float
    explore: float


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator of an agent's point. ``made``: whether it is of ``tonight`` or of the policy ``serving``."""

    agent: str
    point: str
    made: str
    name: str
    feature: Feature


def count_exposures(
    con: duckdb.DuckDBPyConnection, as_of: datetime, owner: str, terms: Iterable[AgentTerms],
    barred: Iterable[tuple[str, str]] = (),
) -> int:
    """Create ``decision_credit``, ``decision_exposures`` and what they stand on, on the workbench; returns exposures.

    ``owner`` is that of agents without ``terms``; ``barred`` are versions of agents whose exposures do not count (9).
    """
    con.execute(
        "CREATE OR REPLACE TABLE agent_settings (agent VARCHAR, owner VARCHAR, window_days INTEGER, "
        "reward_model VARCHAR, reset_at TIMESTAMP)"
    )
    _fill(con, "agent_settings", [(t.agent, t.owner, t.window_days, t.reward_model, t.reset_at) for t in terms])
    con.execute("CREATE OR REPLACE TABLE decision_barred (agent VARCHAR, version VARCHAR)")
    _fill(con, "decision_barred", barred)
    tables.create(con, "decision_terms", as_of=as_of, owner=owner, window_days=WINDOW_DAYS)
    for name in ("decision_accepted", "decision_credit"):
        tables.create(con, name, as_of=as_of)
    tables.create(con, "decision_responses")
    tables.create(con, "decision_frozen", as_of=as_of)
    return tables.create(con, "decision_exposures", as_of=as_of)


def weigh(con: duckdb.DuckDBPyConnection) -> int:
    """Create ``decision_learned``, the exposures of the window with their weights, and the features that they have;
    returns their number.
    """
    for name in ("decision_rewards_kind", "decision_shares"):
        tables.create(con, name)
    learned = tables.create(con, "decision_learned")
    for name in ("decision_feature_sets", "decision_feature_values", "decision_arms"):
        tables.create(con, name)
    return learned


def sum_up(con: duckdb.DuckDBPyConnection, indicators: Iterable[Indicator]) -> None:
    """Create ``decision_cells`` and ``decision_valued``, from which policies are learned and valued."""
    con.execute(
        "CREATE OR REPLACE TABLE decision_indicators (agent VARCHAR, point VARCHAR, made VARCHAR, indicator VARCHAR, "
        "feature VARCHAR, numeric BOOLEAN, cuts DOUBLE[])"
    )
    _fill(con, "decision_indicators", [
        (i.agent, i.point, i.made, i.name, i.feature.code, i.feature.numeric, list(i.feature.cuts)) for i in indicators
    ])
    for name in ("decision_patterns", "decision_cells", "decision_valued"):
        tables.create(con, name)


def compare_with_logged(con: duckdb.DuckDBPyConnection, rates: Iterable[AgentRates]) -> None:
    """Create ``decision_ratios`` and ``decision_splits``: exposures by arm and by cell beside what is expected."""
    con.execute(
        "CREATE OR REPLACE TABLE agent_rates (agent VARCHAR, since TIMESTAMP, control_rate DOUBLE, "
        "exploration_rate DOUBLE)"
    )
    _fill(con, "agent_rates", [(r.agent, r.since, r.control, r.explore) for r in rates])
    for name in ("decision_ratios", "decision_splits"):
        tables.create(con, name)


def place_labels(con: duckdb.DuckDBPyConnection, most: int, least: int) -> None:
    """Create ``decision_placebos``: sums of responses by placebo and label, of agents with ``least`` explore exposures,
    over at most ``most`` of each.
    """
    tables.create(con, "decision_placebos", most=most, least=least)


def aggregate(con: duckdb.DuckDBPyConnection, as_of: datetime) -> int:
    """Create ``decision_aggregates``, ``decision_features`` and ``decision_days``, and what reports count beside;
    returns rows of the first.
    """
    for name in ("decision_features", "decision_counts"):
        tables.create(con, name)
    for name in ("decision_days", "decision_rest", "decision_flags"):
        tables.create(con, name, as_of=as_of)
    return tables.create(con, "decision_aggregates")


def show_events(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create views ``decisions``, ``goals``, ``decision_sessions`` and ``decision_rejects`` of what was known before
    ``as_of``; decisions with what was credited to them.
    """
    cut = f"TIMESTAMP '{as_of.isoformat(sep=' ')}'"
    con.execute(
        "CREATE OR REPLACE VIEW decisions AS SELECT d.*, x.event_id IS NOT NULL AS exposure, "
        "coalesce(r.goals, 0)::INTEGER AS goals, coalesce(r.micro, 0) / 1e6 AS value FROM warehouse.decisions AS d "
        "LEFT JOIN (SELECT event_id FROM decision_exposures) AS x ON x.event_id = d.event_id "
        f"LEFT JOIN decision_responses AS r ON r.event_id = d.event_id WHERE d.ts < {cut}"
    )
    for name in ("goals", "decision_sessions"):
        con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM warehouse.{name} WHERE ts < {cut}")
    con.execute("CREATE OR REPLACE VIEW decision_rejects AS FROM warehouse.decision_rejects")


def _fill(con: duckdb.DuckDBPyConnection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    values = [list(row) for row in rows]
    if values:
        con.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values[0]))})", values)
