"""Versions of policies: what each agent serves from a run on, what it served before, and what was held back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
import numpy as np

from decisions.patterns import Feature
from models.policies.indicators import Indicators
from models.policies.policy import AgentPolicy, PointPolicy, from_weights

UNIFORM = "0"
KEPT = 30
"""Versions of an agent that it can be rolled back to."""
SERVING, EARLIER, HELD = "serving", "earlier", "held"
ROLLED_BACK = "rolled back by an operator"


@dataclass(frozen=True, slots=True)
class Version:
    """One row of ``policy_versions``."""

    agent: str
    version: str
    state: str
    valid_from: datetime
    trained_by_run: str
    reason: str = ""
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """What a night made of an agent: the version of what was learned, and why it is not served (empty: it is)."""

    version: str
    held: str = ""


def version_of(policy: AgentPolicy, as_of: datetime) -> str:
    """A name that tells when a policy was learned and, in its tail, everything in it: equal policies of equal date have
    the same one.
    """
    return f"{as_of:%Y%m%dT%H%M%S}-{content_of(policy)}"


def content_of(policy: AgentPolicy) -> str:
    """A digest of everything that is published of a policy."""
    digest = hashlib.sha256()
    for point in policy.points:
        digest.update(json.dumps([
            point.point, point.decision_set, point.arms, point.default, point.keys, point.indicators,
            [(one.code, one.numeric, one.cuts) for one in point.features], point.mature.tolist(),
        ]).encode())
        for values in (point.weight, point.p_best, point.n, point.mean, point.sd):
            digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return digest.hexdigest()[:12]


class Shelf:
    """The versions of the run before, by agent, the newest first. Needs the views ``published_policies``,
    ``published_policy_archive``, ``published_policy_features`` and ``published_policy_versions`` on the workbench.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._versions: dict[str, list[Version]] = {}
        for row in con.execute(
            "SELECT agent, version, state, valid_from, trained_by_run, reason, pinned FROM published_policy_versions "
            "ORDER BY agent, valid_from DESC, version DESC"
        ).fetchall():
            self._versions.setdefault(row[0], []).append(Version(*row))

    def agents(self) -> list[str]:
        """Agents with a version."""
        return sorted(self._versions)

    def forget(self, agent: str, until: datetime) -> None:
        """Drop what was made of an agent before it was reset."""
        self._versions[agent] = [one for one in self._versions.get(agent, []) if one.valid_from > until]

    def serving(self, agent: str, pinned: str | None) -> str:
        """The version that the agent serves while the night works."""
        if pinned is not None and (pinned == UNIFORM or self._find(agent, pinned)):
            return pinned
        return next((one.version for one in self._versions.get(agent, []) if one.state == SERVING), UNIFORM)

    def same(self, before: str, made: str) -> str:
        """``before`` if what was ``made`` is the same in everything but its date, else ``made``."""
        return before if before.rpartition("-")[2] == made.rpartition("-")[2] else made

    def weights(
        self, agent: str, version: str, places: Sequence[tuple[str, str, Sequence[str]]]
    ) -> list[PointPolicy | None]:
        """The rows of a version at some points and decision sets, whose arms they are brought to; None without any."""
        rows = self._con.execute(
            "SELECT point, decision_set, segment, pattern, list(arm ORDER BY arm_order), "
            "list(weight ORDER BY arm_order) FROM (FROM published_policies UNION ALL FROM published_policy_archive) "
            "WHERE agent = $agent AND version = $version GROUP BY ALL ORDER BY point, decision_set, segment, pattern",
            {"agent": agent, "version": version},
        ).fetchall()
        found = []
        for point, names, arms in places:
            held = [row for row in rows if (row[0], row[1]) == (point, names)]
            place = {arm: at for at, arm in enumerate(arms)}
            weight = np.zeros((len(held), len(arms)))
            for at, (*_, known, values) in enumerate(held):
                for arm, value in zip(known, values, strict=True):
                    if arm in place:
                        weight[at, place[arm]] = value
            keys = [(row[2], row[3]) for row in held]
            found.append(from_weights(point, names, arms, 0, keys, weight) if held else None)
        return found

    def indicators(self, agent: str, version: str) -> dict[str, Indicators]:
        """How a version encodes features, by point."""
        rows = self._con.execute(
            "SELECT point, list(indicator ORDER BY indicator), "
            "list({'code': feature, 'numeric': numeric, 'cuts': cuts} ORDER BY feature) "
            "FROM published_policy_features WHERE agent = $agent AND version = $version "
            "GROUP BY point ORDER BY point",
            {"agent": agent, "version": version},
        ).fetchall()
        return {
            point: Indicators(tuple(names), tuple({
                one["code"]: Feature(one["code"], one["numeric"], tuple(one["cuts"])) for one in features
            }.values()))
            for point, names, features in rows
        }

    def settled(
        self, agent: str, pinned: str | None, made: Made | None, as_of: datetime, run_id: str
    ) -> tuple[str, list[Version]]:
        """The version that the agent serves from now on, and its versions that are kept."""
        before = self.serving(agent, pinned)
        known = [one for one in self._versions.get(agent, []) if one.state != HELD]
        served = before
        if made is not None and made.version != before and not self._find(agent, made.version):
            fresh = Version(agent, made.version, HELD if made.held else SERVING, as_of, run_id, made.held)
            known.insert(0, fresh)
            served = before if made.held else made.version
        kept, room = [], KEPT
        for one in known:
            if one.version == served:
                is_pinned = pinned == served
                state, reason = SERVING, ROLLED_BACK if is_pinned else ""
                kept.append(replace(one, state=state, reason=reason, pinned=is_pinned))
            elif one.state == HELD:
                kept.append(one)
            elif room > 1 or (served == UNIFORM and room > 0):
                room -= 1
                kept.append(replace(one, state=EARLIER, reason="", pinned=False))
        return served, kept

    def _find(self, agent: str, version: str) -> bool:
        return any(one.version == version and one.state != HELD for one in self._versions.get(agent, []))


def create_tables(
    con: duckdb.DuckDBPyConnection, versions: Sequence[Version], rows: Mapping[str, Sequence[Any]],
    features: Sequence[Mapping[str, Any]],
) -> None:
    """Create ``policies``, ``policy_archive``, ``policy_features`` and ``policy_versions``: of all ``versions``, whose
    rows are among those published before and tonight's ``rows`` (columns of ``policies``) and ``features``.
    """
    from flows.stages.publish import insert_rows

    fields = ("agent", "version", "state", "valid_from", "trained_by_run", "reason", "pinned")
    insert_rows(con, "policy_versions", [{name: getattr(one, name) for name in fields} for one in versions])
    insert_columns(con, "policies", rows)
    con.execute("ALTER TABLE policies RENAME TO made_policies")
    insert_rows(con, "policy_features", features)
    con.execute("ALTER TABLE policy_features RENAME TO made_features")
    everything = (
        "(FROM made_policies UNION ALL BY NAME FROM published_policies UNION ALL BY NAME "
        "FROM published_policy_archive)"
    )
    for name, condition in (("policies", "="), ("policy_archive", "<>")):
        con.execute(
            f"CREATE OR REPLACE TABLE {name} AS SELECT DISTINCT p.* FROM {everything} AS p SEMI JOIN (FROM "
            f"policy_versions WHERE state {condition} 'serving') AS v ON v.agent = p.agent AND v.version = p.version"
        )
    con.execute(
        "CREATE OR REPLACE TABLE policy_features AS SELECT DISTINCT f.* FROM (FROM made_features UNION ALL BY NAME "
        "FROM published_policy_features) AS f SEMI JOIN policy_versions AS v "
        "ON v.agent = f.agent AND v.version = f.version"
    )
    con.execute("DROP TABLE made_policies")
    con.execute("DROP TABLE made_features")


def insert_columns(con: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Create published table ``name`` from columns of equal length; empty without any."""
    import pyarrow as pa

    from contracts.published import TABLE_BY_NAME

    table = TABLE_BY_NAME[name]
    shape = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    con.execute(f"CREATE OR REPLACE TABLE {name} ({shape})")
    if columns:
        con.register("columns_of_rows", pa.table({column.name: columns[column.name] for column in table.columns}))
        con.execute(f"INSERT INTO {name} BY NAME FROM columns_of_rows")
        con.unregister("columns_of_rows")
