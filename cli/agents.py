"""``nightloom agents``: which policy each agent serves, and what an operator can do about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from cyclopts import App

from cli.home import find_layout
from cli.terminal import show_json, show_table
from contracts.errors import NotFound, UsageError
from store.definitions import load_settings
from store.journal import Journal
from store.layout import Layout

app = App(name="agents", help="Show what agents serve; roll one back, release it, clear a version.")


@app.default
@app.command(name="list")
def list_(*, workspace: str = "", json: bool = False) -> None:
    """List agents with what they serve, what was learned last, and the flags that stand."""
    rows = _query(
        find_layout(workspace),
        "SELECT r.agent, r.version, r.new_version, r.published, r.reason, r.exposures, coalesce(f.flags, '') AS flags "
        "FROM decision_reports AS r LEFT JOIN (SELECT agent, string_agg(flag, ', ' ORDER BY flag) AS flags "
        "FROM agent_flags GROUP BY agent) AS f USING (agent) ORDER BY r.agent",
    )
    _show("Agents", rows, json)


@app.command
def versions(agent: str, *, workspace: str = "", json: bool = False) -> None:
    """List the versions of an agent's policy that are kept, the newest first."""
    rows = _query(
        find_layout(workspace),
        "SELECT version, state, valid_from, trained_by_run, reason, pinned FROM policy_versions WHERE agent = $agent "
        "ORDER BY valid_from DESC, version DESC",
        {"agent": agent},
    )
    if not rows:
        raise NotFound(f"the published run has no policy of agent {agent!r}", hint="nightloom agents list")
    _show(f"Versions of {agent}", rows, json)


@app.command
def rollback(agent: str, version: str, *, workspace: str = "", json: bool = False) -> None:
    """Serve an earlier version from now on, until the agent is released; version 0 is no policy: every arm alike.

    Parameters
    ----------
    agent
        Code of the agent.
    version
        One of ``nightloom agents versions``, but none that was held back.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.pack.policies import PolicyBook
    from store.policy_documents import pin_policy

    layout = find_layout(workspace)
    with Journal.open(layout, load_settings(layout)) as journal:
        pointer = journal.pointer()
        if pointer is None:
            raise NotFound("no run is published yet", hint="nightloom run")
        book = PolicyBook(layout.run(pointer.run_id) / "pack")
        if version not in book.versions(agent):
            raise NotFound(
                f"agent {agent!r} has no version {version!r} to go back to", hint=f"nightloom agents versions {agent}"
            )
        before = book.version(agent)
        with journal.writing() as connection:
            pin_policy(connection, agent, version, "operator", journal.clock())
    _told({"agent": agent, "serving": version, "published": before}, json,
          f"{agent} serves {version}; the run's version is {before}")


@app.command
def release(agent: str, *, workspace: str = "", json: bool = False) -> None:
    """Let an agent that was rolled back serve the run's policies again."""
    from store.policy_documents import release_policy

    done = _change(workspace, lambda connection, at: release_policy(connection, agent, "operator", at))
    if not done:
        raise UsageError(f"agent {agent!r} was not rolled back", hint="nightloom agents list")
    _told({"agent": agent, "released": True}, json, f"{agent} serves what nights publish")


@app.command
def clear(agent: str, version: str, *, workspace: str = "", json: bool = False) -> None:
    """Let the exposures of a version count again whose sample-ratio test failed, once the cause is known.

    Parameters
    ----------
    agent
        Code of the agent.
    version
        The version that flag G1 names (``nightloom agents list``, table agent_flags).
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.policy_documents import clear_version

    layout = find_layout(workspace)
    flagged = _query(
        layout, "SELECT version FROM agent_flags WHERE agent = $agent AND flag = 'G1'", {"agent": agent}
    )
    if version not in {row["version"] for row in flagged}:
        raise NotFound(f"no flag G1 of agent {agent!r} names version {version!r}", hint="nightloom agents list")
    _change(workspace, lambda connection, at: clear_version(connection, agent, version, "operator", at))
    _told({"agent": agent, "cleared": version}, json, f"exposures of {version} count from the next night on")


def _change(workspace: str, work: Callable[[Any, datetime], bool | None]) -> bool:
    layout = find_layout(workspace)
    with Journal.open(layout, load_settings(layout)) as journal, journal.writing() as connection:
        return work(connection, journal.clock()) is not False


def _query(layout: Layout, query: str, given: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    import duckdb

    if not layout.analytics.exists():
        raise NotFound("no run is published yet", hint="nightloom run")
    with duckdb.connect(str(layout.analytics), read_only=True) as con:
        found = con.execute(query, given or {})
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _show(title: str, rows: list[dict[str, Any]], json: bool) -> None:
    if json:
        show_json(rows)
    else:
        show_table(title, list(rows[0]) if rows else [], [list(row.values()) for row in rows], whole=("version",))


def _told(answer: dict[str, Any], json: bool, words: str) -> None:
    if json:
        show_json(answer)
    else:
        print(words)
