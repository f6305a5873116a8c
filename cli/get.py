"""``nightloom get``: what is stored."""

from __future__ import annotations

import json as jsons
from typing import Any

from cyclopts import App

from cli.home import find_layout
from cli.terminal import show_json, show_table
from contracts.errors import NotFound

app = App(name="get", help="Show what is stored: scenarios, agents and their history.")


@app.command
def scenarios(*, history: str = "", reco_type: str = "", workspace: str = "", json: bool = False) -> None:
    """List the stored scenarios, or every version of one.

    Parameters
    ----------
    history
        Show every version of this scenario: RECO_TYPE/NAME, or NAME in all reco types.
    reco_type
        Only scenarios of this reco type.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.journal import Journal
    from store.settings_file import load_settings

    layout = find_layout(workspace)
    with Journal.open(layout, load_settings(layout)) as journal:
        if history:
            _show_history(journal, history, json)
        else:
            _show_scenarios(journal, reco_type, json)


@app.command
def agents(*, history: str = "", workspace: str = "", json: bool = False) -> None:
    """List the agents of the decision dialect, or every version of one.

    Parameters
    ----------
    history
        Show every version of the agent with this code.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.agent_documents import AGENT
    from store.journal import Journal, documents
    from store.settings_file import load_settings

    layout = find_layout(workspace)
    with Journal.open(layout, load_settings(layout)) as journal, journal.reading() as connection:
        found = documents.history(connection, AGENT, history) if history else documents.listed(connection, AGENT)
    if history and not found:
        raise NotFound(f"there never was an agent {history}", hint="nightloom get agents")
    shown: list[dict[str, Any]] = [
        {
            "code": one.name, "version": one.version, "who": one.who, "at": one.at, "deleted": one.deleted,
            "agent": None if one.deleted else jsons.loads(one.body),
        }
        for one in found
    ]
    if json:
        show_json(shown)
        return
    show_table(
        f"History of {history}" if history else "Agents",
        ("code", "status", "points", "goals", "choices", "version", "who", "when (UTC)"),
        [
            (
                one["code"], *_size_of(one["agent"]), one["version"], one["who"], f"{one['at']:%Y-%m-%d %H:%M}",
            )
            for one in shown
        ],
        right=("points", "goals", "choices", "version"), spare=("when (UTC)", "who"), whole=("code",),
    )


def _size_of(agent: dict[str, Any] | None) -> tuple[Any, ...]:
    """Status, and how many points, goals and choices."""
    if agent is None:
        return "deleted", "", "", ""
    decisions = [decision for point in agent["points"] for decision in point["decisions"]]
    return agent["status"], len(agent["points"]), len(agent["goals"]), sum(len(one["choices"]) for one in decisions)


@app.command
def targetingrules(*, workspace: str = "", json: bool = False) -> None:
    """List the targeting rules of the decision dialect in their order.

    Parameters
    ----------
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.agent_documents import read_rules
    from store.journal import Journal
    from store.settings_file import load_settings

    layout = find_layout(workspace)
    with Journal.open(layout, load_settings(layout)) as journal, journal.reading() as connection:
        found = read_rules(connection)
    if json:
        show_json([rule.raw for rule in found])
        return
    show_table(
        "Targeting rules", ("code", "on", "agents", "conditions", "features", "segment"),
        [
            (
                rule.code, "yes" if rule.on else "no", ", ".join(sorted(rule.agents)), len(rule.when),
                ", ".join(rule.features), rule.segment or "",
            )
            for rule in found
        ],
        right=("conditions",), whole=("code",),
    )


def _show_scenarios(journal: Any, reco_type: str, json: bool) -> None:
    from store.journal import documents
    from store.scenario_documents import SCENARIO, definition_of, read

    with journal.reading() as connection:
        control = read(connection)
        stored = documents.listed(connection, SCENARIO)
    rows = [(definition_of(one), one) for one in stored]
    shown = [
        {
            "reco_type": definition.reco_type, "name": definition.name, "scenario_type": definition.scenario_type,
            "default": control.graph.default(definition.reco_type) == definition.name, "version": one.version,
            "who": one.who, "at": one.at, "scenario": definition.raw,
        }
        for definition, one in rows
        if reco_type in ("", definition.reco_type)
    ]
    if json:
        show_json(shown)
        return
    show_table(
        "Scenarios", ("reco type", "name", "type", "default", "version", "who", "when (UTC)"),
        [
            (
                one["reco_type"], one["name"], one["scenario_type"], "yes" if one["default"] else "",
                one["version"], one["who"], f"{one['at']:%Y-%m-%d %H:%M}",
            )
            for one in shown
        ],
        right=("version",), spare=("when (UTC)", "who"), whole=("name",),
    )


def _show_history(journal: Any, name: str, json: bool) -> None:
    from store.journal import documents
    from store.scenario_documents import SCENARIO, key_of

    with journal.reading() as connection:
        versions = documents.history(connection, SCENARIO)
    found = [one for one in versions if name in (one.name, key_of(one.name)[1])]
    if not found:
        raise NotFound(f"there never was a scenario {name}", hint="nightloom get scenarios")
    shown = [
        {
            "reco_type": key_of(one.name)[0], "name": key_of(one.name)[1], "version": one.version, "who": one.who,
            "at": one.at, "deleted": one.deleted, "scenario": None if one.deleted else jsons.loads(one.body),
        }
        for one in found
    ]
    if json:
        show_json(shown)
        return
    show_table(
        f"History of {name}", ("reco type", "name", "version", "when (UTC)", "who", "what"),
        [
            (
                one["reco_type"], one["name"], one["version"], f"{one['at']:%Y-%m-%d %H:%M:%S}", one["who"],
                "deleted" if one["deleted"] else jsons.dumps(one["scenario"], ensure_ascii=False),
            )
            for one in shown
        ],
        right=("version",), whole=("what",),
    )
