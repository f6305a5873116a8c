"""``nightloom keys``: create, list and revoke keys of the endpoint."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from cyclopts import App

from cli.home import find_layout
from cli.terminal import show_json, show_table
from contracts.errors import UsageError
from store.journal import Journal, Role
from store.journal.keys import AgentKeyKind
from store.layout import Layout

app = App(name="keys", help="Create, list and revoke keys of the endpoint.")


@app.command
def create(
    *, role: Role = "read", octy: bool = False, conductrics: AgentKeyKind | None = None, existing: str = "",
    label: str = "", workspace: str = "", json: bool = False,
) -> None:
    """Make a key and print its secret, which is stored nowhere and cannot be shown again.

    Parameters
    ----------
    role
        read: lookups; write: lookups and events; admin: everything.
    octy
        Make a public and a secret key of the retention dialect instead; they may do everything in it.
    conductrics
        Make a key of the decision dialect instead. runtime: decisions and goals, may stand in a page; admin: reports
        and agents too.
    existing
        A key of the decision dialect that clients have already; it is taken in, and only its digest is stored.
    label
        What or whom it is for.
    workspace
        Workspace.
    json
        Print JSON.
    """
    layout = find_layout(workspace)
    if existing and conductrics is None:
        raise UsageError("--existing needs --conductrics", hint="--conductrics runtime or --conductrics admin")
    if conductrics is not None:
        _create_agent_key(layout, conductrics, label, existing, json)
        return
    if octy:
        _create_pair(layout, label, json)
        return
    with _journal(layout) as journal:
        secret = journal.create_key(role, label)
    if json:
        show_json({"key": secret, "role": role, "label": label})
    else:
        print(secret)


@app.command(name="list")
def list_keys(*, workspace: str = "", json: bool = False) -> None:
    """List keys, revoked ones included; secrets are not known.

    Parameters
    ----------
    workspace
        Workspace.
    json
        Print JSON.
    """
    with _journal(find_layout(workspace)) as journal:
        keys = journal.keys()
    if json:
        show_json([{name: value for name, value in dataclasses.asdict(key).items() if name != "hash"} for key in keys])
        return
    rows = [(key.key_id, key.role, key.label, _minute(key.created_at), _minute(key.revoked_at)) for key in keys]
    show_table("Keys", ("id", "role", "label", "created (UTC)", "revoked (UTC)"), rows)


@app.command
def revoke(key_id: str, *, workspace: str = "") -> None:
    """End a key; running endpoints refuse it from the next request on.

    Parameters
    ----------
    key_id
        The part of the key between the first two underscores.
    workspace
        Workspace.
    """
    with _journal(find_layout(workspace)) as journal:
        journal.revoke_key(key_id)
    print(f"revoked {key_id}")


@app.command(name="webhook-secret")
def webhook_secret(*, rotate: bool = False, workspace: str = "", json: bool = False) -> None:
    """Print the secret that signs notifications.

    Parameters
    ----------
    rotate
        Make a new one; the one before signs along for 24 hours.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from store.journal import webhook_secrets

    with _journal(find_layout(workspace)) as journal, journal.writing() as connection:
        now = journal.clock()
        secret = (
            webhook_secrets.rotate(connection, now) if rotate else webhook_secrets.in_force(connection, now)[0]
        )
    if json:
        show_json({"secret": secret})
    else:
        print(secret)


def _create_pair(layout: Layout, label: str, json: bool) -> None:
    from store.journal.keys import create_pair

    account = "" if layout.workspace == "default" else layout.workspace
    with _journal(layout) as journal, journal.writing() as connection:
        public, secret = create_pair(connection, label, journal.clock(), account)
    if json:
        show_json({"public_key": public, "secret_key": secret, "label": label})
    else:
        print(f"{public}:{secret}")


def _create_agent_key(layout: Layout, kind: AgentKeyKind, label: str, existing: str, json: bool) -> None:
    from store.journal.keys import create_agent_key

    with _journal(layout) as journal, journal.writing() as connection:
        key = create_agent_key(connection, kind, label, journal.clock(), existing)
    if json:
        show_json({"key": key, "kind": kind, "label": label})
    else:
        print(key)


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _journal(layout: Layout) -> Journal:
    from store.definitions import load_settings

    return Journal.open(layout, load_settings(layout))
