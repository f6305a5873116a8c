"""The night's learning of policies: what every agent serves from this run on, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from contracts.progress import Progress
from flows.stages import decision_report
from flows.stages.agents import AgentDocuments
from flows.stages.decision_report import Told
from flows.stages.policy_statistics import choose_indicators, indicator_rows, read_agent, tonight
from flows.stages.policy_versions import ROLLED_BACK, Made, Shelf, Version, create_tables, version_of
from flows.stages.publish import insert_rows
from models.policies.aa import LEAST_EXPOSURES, MOST_EXPOSURES
from models.policies.indicators import Indicators
from models.policies.policy import AgentPolicy, table
from models.policies.review import Review, review_agent
from store.exports import open_table
from store.pack.policy_tables import write_resets
from transforms import decisions
from transforms.decisions import SERVING

TABLES = (
    "decisions", "goals", "decision_sessions", "policies", "policy_archive", "policy_features", "policy_versions",
    "decision_aggregates", "decision_features", "decision_days", "decision_reports", "agent_flags", "decision_rejects",
)
"""What a run publishes of agents."""
CARRIED = ("policies", "policy_archive", "policy_features", "policy_versions", "decision_aggregates",
           "decision_features", "decision_days", "decision_reports", "agent_flags")
"""What a night may take over from the run before."""
SAMPLE_RATIO = "G1"


@dataclass(slots=True)
class _Night:
    """One night's learning."""

    con: duckdb.DuckDBPyConnection
    as_of: datetime
    run_id: str
    owner: str
    documents: AgentDocuments
    shelf: Shelf
    barred: Sequence[tuple[str, str]]
    versions: list[Version] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    flags: list[dict[str, Any]] = field(default_factory=list)
    features: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[str, list[Any]] = field(default_factory=dict)

    def owner_of(self, agent: str) -> str:
        known = self.documents.agents.get(agent)
        return known.owner if known is not None and known.owner else self.owner

    def serving(self, agent: str) -> str:
        """The version that the agent serves while the night works."""
        return self.shelf.serving(agent, self.documents.pins.get(agent))

    def settle(self, agent: str, made: Made | None) -> str:
        """Note the agent's versions; returns the one that it serves from now on."""
        pinned = self.documents.pins.get(agent)
        served, kept = self.shelf.settled(agent, pinned, made, self.as_of, self.run_id)
        self.versions += kept
        return served

    def publish(self, agent: str, policy: AgentPolicy, version: str) -> None:
        """Note the rows of what was learned, whether it is served or held back."""
        made = table(policy, self.owner_of(agent), agent, version, self.as_of, self.run_id)
        made["trained_by_run"] = made.pop("run_id")
        for name, values in made.items():
            self.rows.setdefault(name, []).extend(values)
        encodings = {one.point: Indicators(one.indicators, one.features) for one in policy.points}
        for point, chosen in encodings.items():
            for row in indicator_rows(agent, point, version, chosen):
                self.features.append({
                    "agent": agent, "version": version, "point": point, "indicator": row.name,
                    "feature": row.feature.code, "numeric": row.feature.numeric, "cuts": list(row.feature.cuts),
                })

    def raise_flags(self, agent: str, review: Review | None, before: str) -> None:
        """Note the agent's flags. That of a failed sample ratio stays until an operator clears it."""
        found = {
            (flag, ""): detail for flag, detail in self.con.execute(
                "SELECT flag, detail FROM decision_flags WHERE agent = $agent", {"agent": agent}
            ).fetchall()
        }
        known = {
            (flag, version): (since, detail) for flag, version, since, detail in self.con.execute(
                "SELECT flag, version, since, detail FROM published_agent_flags WHERE agent = $agent",
                {"agent": agent},
            ).fetchall()
        }
        reset = self.documents.resets.get(agent)
        for flag, at in self.documents.flags.get(agent, {}).items():
            if reset is None or at > reset.at:
                found.setdefault((flag, ""), "raised by the endpoint")
        barred = {version for (one, version) in self.barred if one == agent}
        found |= {key: detail for key, (_, detail) in known.items() if key[0] == SAMPLE_RATIO and key[1] in barred}
        for verdict in review.verdicts if review is not None else ():
            if verdict.gate in (review.held if review is not None else ()):
                found[verdict.gate, before if verdict.gate == SAMPLE_RATIO else ""] = verdict.detail
        for (flag, version), detail in sorted(found.items()):
            since = known[flag, version][0] if (flag, version) in known else self.as_of
            self.flags.append(
                {"agent": agent, "flag": flag, "version": version, "since": since, "detail": detail}
            )

    def flags_of(self, agent: str) -> list[dict[str, Any]]:
        """The flags noted, as the report tells them."""
        return [
            {"flag": one["flag"], "version": one["version"], "since": one["since"].isoformat(),
             "detail": one["detail"]}
            for one in self.flags if one["agent"] == agent
        ]

    def report(self, told: Told, exposures: int, document: Mapping[str, Any]) -> None:
        """Note what is said of an agent."""
        self.reports.append({
            "agent": told.agent, "version": told.version, "new_version": told.new_version,
            "published": not told.held, "reason": told.held, "exposures": exposures, "report": document,
        })

    def carry(self, agent: str) -> None:
        """An agent of which nothing was learned goes on with what it has."""
        before = self.serving(agent)
        served = self.settle(agent, None)
        self.raise_flags(agent, None, before)
        row = self.con.execute(
            "SELECT report, exposures FROM published_decision_reports WHERE agent = $agent", {"agent": agent}
        ).fetchone()
        told = Told(self.run_id, self.as_of, self.owner_of(agent), agent, before, served, served, "",
                    self.flags_of(agent))
        known = json.loads(row[0]) if row is not None and agent not in self.documents.resets else None
        self.report(told, int(row[1]) if row is not None else 0, decision_report.frozen(told, known))


def learn_policies(
    con: duckdb.DuckDBPyConnection, target: Path, as_of: datetime, run_id: str, owner: str, documents: AgentDocuments,
    previous: Path | None, progress: Progress,
) -> int:
    """Create everything that a run publishes of agents on the workbench ``con``, and note in ``target/pack`` the resets
    that were respected; returns the exposures that count.

    ``owner`` is that of agents without a document; ``previous`` the folder of the run whose versions go on serving
    where what was learned is held back.
    """
    _open_previous(con, previous)
    write_resets(target / "pack", {agent: reset.at for agent, reset in documents.resets.items()})
    barred = _barred(con, documents)
    night = _Night(con, as_of, run_id, owner, documents, _shelf(con, documents), barred)
    exposures = decisions.count_exposures(con, as_of, owner, documents.terms(), barred)
    decisions.weigh(con)
    chosen = choose_indicators(con, documents)
    learning = con.execute(
        "SELECT agent, is_binary, assumed, exposures FROM decision_rewards_kind ORDER BY agent"
    ).fetchall()
    decisions.sum_up(con, [*tonight(chosen), *_serving_indicators(night, [agent for agent, *_ in learning])])
    decisions.compare_with_logged(con, documents.rates)
    decisions.place_labels(con, MOST_EXPOSURES, LEAST_EXPOSURES)
    decisions.aggregate(con, as_of)
    _carry_frozen(con)
    for number, (agent, binary, assumed, seen) in enumerate(learning):
        progress.step("policies", number, len(learning), agent)
        _learn(night, agent, binary, assumed, int(seen), chosen)
    _rest(night, {agent for agent, *_ in learning})
    create_tables(con, night.versions, night.rows, night.features)
    insert_rows(con, "decision_reports", night.reports)
    insert_rows(con, "agent_flags", night.flags)
    decisions.show_events(con, as_of)
    progress.step("policies", len(learning), len(learning))
    return exposures


def _open_previous(con: duckdb.DuckDBPyConnection, previous: Path | None) -> None:
    """Make a view ``published_<table>`` of each table that may be carried, empty where the run before has none."""
    for name in CARRIED:
        con.execute(f"DROP VIEW IF EXISTS published_{name}")
        if previous is None or not open_table(con, previous, name, f"published_{name}"):
            insert_rows(con, name, ())
            con.execute(f"CREATE TABLE no_{name} AS FROM {name}")
            con.execute(f"CREATE OR REPLACE VIEW published_{name} AS FROM no_{name}")


def _shelf(con: duckdb.DuckDBPyConnection, documents: AgentDocuments) -> Shelf:
    shelf = Shelf(con)
    for agent, reset in documents.resets.items():
        shelf.forget(agent, reset.at)
    return shelf


def _barred(con: duckdb.DuckDBPyConnection, documents: AgentDocuments) -> list[tuple[str, str]]:
    """Versions whose sample-ratio test failed some night, and that no operator looked into."""
    rows = con.execute(
        "SELECT agent, version, since FROM published_agent_flags WHERE flag = $flag ORDER BY ALL",
        {"flag": SAMPLE_RATIO},
    ).fetchall()
    resets = documents.resets
    return [
        (agent, version) for agent, version, since in rows
        if (agent, version) not in documents.cleared and not (agent in resets and resets[agent].at >= since)
    ]


def _serving_indicators(night: _Night, agents: Sequence[str]) -> list[decisions.Indicator]:
    """The indicators by which each agent decides now."""
    return [
        row
        for agent in agents
        for point, found in night.shelf.indicators(agent, night.serving(agent)).items()
        for row in indicator_rows(agent, point, SERVING, found)
    ]


def _learn(
    night: _Night, agent: str, binary: bool, assumed: bool, exposures: int,
    chosen: Mapping[tuple[str, str], Indicators],
) -> None:
    """Learn one agent's policy, judge it, and settle what it serves."""
    documents, before = night.documents, night.serving(agent)
    seen = read_agent(night.con, agent, binary, assumed, documents, chosen, before)
    if not seen.statistics.points:
        night.carry(agent)
        return
    arms = [(one.point, one.decision_set, one.arms) for one in seen.statistics.points]
    serving = night.shelf.weights(agent, before, arms)
    review = review_agent(seen.statistics, seen.exposures, serving, seen.ratios, seen.placebo)
    version = night.shelf.same(before, version_of(review.policy, night.as_of))
    held = _held(review) or (ROLLED_BACK if agent in documents.pins and version != before else "")
    served = night.settle(agent, Made(version, held))
    if version != before:
        night.publish(agent, review.policy, version)
    night.raise_flags(agent, review, before)
    told = Told(night.run_id, night.as_of, night.owner_of(agent), agent, before, served, version, held,
                night.flags_of(agent))
    night.report(told, exposures, decision_report.document(night.con, told, documents, seen, review, serving))


def _held(review: Review) -> str:
    """Why what was learned is held back, empty if it is published."""
    failed = {one.gate: one.detail for one in review.verdicts if one.gate in review.held}
    return "; ".join(f"{gate}: {detail}" for gate, detail in failed.items())


def _rest(night: _Night, learned: set[str]) -> None:
    """Agents of which nothing was learned tonight go on with what they have."""
    known = {agent for (agent,) in night.con.execute("SELECT agent FROM decision_terms").fetchall()}
    gone = {
        agent for agent, reset in night.documents.resets.items()
        if reset.deleted and agent not in night.documents.agents
    }
    for agent in sorted((known | set(night.shelf.agents())) - learned - gone):
        night.carry(agent)


def _carry_frozen(con: duckdb.DuckDBPyConnection) -> None:
    """Reports of agents that learn no more stay what they were."""
    for name in ("decision_aggregates", "decision_features", "decision_days"):
        con.execute(
            f"INSERT INTO {name} BY NAME SELECT * FROM published_{name} "
            "WHERE agent IN (SELECT agent FROM decision_frozen)"
        )
