"""What a run says of one agent (decision contract, section 10.8)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

import duckdb

from decisions import confidence
from decisions.aggregates import ALL, Aggregate
from decisions.arms import labels
from flows.stages.agents import AgentDocuments
from flows.stages.policy_statistics import Seen
from models.policies.aa import GREATEST_SHARE
from models.policies.off_policy import Valuation
from models.policies.policy import ANY, PointPolicy
from models.policies.review import Review


@dataclass(frozen=True, slots=True)
class Told:
    """What was decided about an agent: versions before and from now on, and why what was learned is not served."""

    run_id: str
    as_of: datetime
    owner: str
    agent: str
    before: str
    version: str
    new_version: str
    held: str
    flags: Sequence[Mapping[str, Any]]


def document(
    con: duckdb.DuckDBPyConnection, told: Told, documents: AgentDocuments, seen: Seen, review: Review,
    serving: Sequence[PointPolicy | None],
) -> dict[str, Any]:
    """The whole document; numbers that cannot be told are null."""
    first, last = _window(con, told.agent, told.as_of)
    return _object({
        **_head(told), "window": {"from": first.isoformat(), "to": last.isoformat()},
        "rewardModel": "binary" if seen.statistics.binary else "valued",
        "exposures": _exposures(con, told.agent), "arms": _arms(review, serving),
        "confidence": _confidence(con, told, seen, documents, first, last),
        "gates": [asdict(verdict) for verdict in review.verdicts],
        "sampleRatio": list(seen.tables),
        "offPolicy": {name: _valuation(found) for name, found in sorted(review.valuations.items())},
        "placebo": {"share": seen.placebo.share, "exposures": seen.placebo.exposures, "threshold": GREATEST_SHARE},
        "segments": [
            {"point": one.point, "decisionSet": one.decision_set, "kappa": one.kappa,
             "segments": [segment for segment, pattern in one.keys if segment != ANY and pattern == ANY]}
            for one in review.policy.points
        ],
        "featureModels": [
            {"point": one.point, "decisionSet": one.decision_set, "segment": fit.segment, "kappa": fit.kappa,
             "indicators": list(one.indicators), "patterns": fit.patterns,
             "evidence": [{"kappa": kappa, "evidence": value} for kappa, value in fit.evidence.items()]}
            for one in review.policy.points for fit in one.fits
        ],
        "backoff": _backoff(con, told.agent), "counts": _counts(con, told.agent),
    })


def frozen(told: Told, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The document of an agent of which nothing was learned: that of the run before under tonight's head."""
    return _object({**(before or {}), **_head(told)})


def _head(told: Told) -> dict[str, Any]:
    return {
        "runId": told.run_id, "asOf": int(told.as_of.replace(tzinfo=UTC).timestamp()), "owner": told.owner,
        "agent": told.agent, "servedBefore": told.before, "version": told.version, "newVersion": told.new_version,
        "published": not told.held, "reason": told.held, "flags": [dict(flag) for flag in told.flags],
    }


def _window(con: duckdb.DuckDBPyConnection, agent: str, as_of: datetime) -> tuple[date, date]:
    row = con.execute("SELECT window_from FROM decision_terms WHERE agent = $agent", {"agent": agent}).fetchone()
    assert row is not None
    last = con.execute("SELECT ($as_of::TIMESTAMP - INTERVAL 1 MICROSECOND)::DATE", {"as_of": as_of}).fetchone()
    assert last is not None
    return row[0], last[0]


def _exposures(con: duckdb.DuckDBPyConnection, agent: str) -> list[dict[str, Any]]:
    return _rows(
        con, "SELECT point, decision_set AS \"decisionSet\", policy, arm, sum(exposures)::BIGINT AS exposures, "
        "sum(goals)::BIGINT AS goals, sum(round(value * 1e6)::HUGEINT)::DOUBLE / 1e6 AS value FROM decision_counts "
        "WHERE agent = $agent GROUP BY ALL ORDER BY ALL", agent,
    )


def _backoff(con: duckdb.DuckDBPyConnection, agent: str) -> dict[str, int]:
    rows = _rows(con, "SELECT backoff, sum(exposures)::BIGINT AS n FROM decision_counts WHERE agent = $agent "
                 "GROUP BY backoff ORDER BY backoff", agent)
    return {row["backoff"]: row["n"] for row in rows}


def _counts(con: duckdb.DuckDBPyConnection, agent: str) -> dict[str, Any]:
    rows = _rows(con, "SELECT kind, n FROM decision_rest WHERE agent = $agent ORDER BY kind", agent)
    found = {row["kind"]: row["n"] for row in rows}
    return {
        "sticky": found.get("sticky", 0), "provisional": found.get("provisional", 0),
        "rejected": sum(n for kind, n in found.items() if kind.startswith("rejected ")),
        "rejectedBy": {kind.removeprefix("rejected "): n for kind, n in found.items() if kind.startswith("rejected ")},
        "late": found.get("late", 0), "duplicate": found.get("rejected duplicate", 0),
    }


def _arms(review: Review, serving: Sequence[PointPolicy | None]) -> list[dict[str, Any]]:
    """Old and new weights of the agent level, with the posterior of each arm."""
    found = []
    for one, old in zip(review.policy.points, serving, strict=True):
        row = one.keys.index((ANY, ANY))
        before = old.weight[old.keys.index((ANY, ANY))] if old is not None and (ANY, ANY) in old.keys else None
        for at, arm in enumerate(one.arms):
            found.append({
                "point": one.point, "decisionSet": one.decision_set, "arm": arm, "default": at == one.default,
                "oldWeight": float(before[at]) if before is not None else None, "newWeight": float(one.weight[row, at]),
                "pBest": float(one.p_best[row, at]), "n": float(one.n[row, at]), "mean": float(one.mean[row, at]),
                "low": float(one.low[row, at]), "high": float(one.high[row, at]), "mature": bool(one.mature[at]),
                "thin": bool(one.thin[at]),
            })
    return found


def _confidence(
    con: duckdb.DuckDBPyConnection, told: Told, seen: Seen, documents: AgentDocuments, first: date, last: date
) -> list[dict[str, Any]]:
    rows = [Aggregate(*row) for row in con.execute(
        "SELECT point, date, policy, arm, segment, feature, goal, n, x, x2, goals, goals2 FROM decision_aggregates "
        "WHERE agent = $agent AND feature = $all AND goal IS NULL ORDER BY ALL", {"agent": told.agent, "all": ALL}
    ).fetchall()]
    found = []
    for one in seen.statistics.points:
        arms = labels(documents.point(told.agent, one.point), one.arms)
        question = confidence.Question(told.owner, told.agent, one.point, first, last, arms, one.arms[one.default])
        found.append({"point": one.point, "decisionSet": one.decision_set,
                      **confidence.report(question, rows)["data"]})
    return found


def _valuation(found: Valuation) -> dict[str, Any]:
    return {
        "exposures": found.exposures, "ess": found.support, "meanWeight": found.mean_weight,
        "meanWeightError": found.mean_weight_error, "largestWeight": found.largest_weight,
        "unreliable": found.unreliable, "assumed": found.assumed, "reason": found.reason,
        **{name: asdict(found.estimates[name]) if name in found.estimates else None
           for name in ("dm", "ips", "snips", "dr")},
    }


def _rows(con: duckdb.DuckDBPyConnection, query: str, agent: str) -> list[dict[str, Any]]:
    found = con.execute(query, {"agent": agent})
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _object(value: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): _plain(one) for key, one in value.items()}


def _plain(value: Any) -> Any:
    """As JSON has it: what is no number is null."""
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
