"""``nightloom databases``: databases of the Crossing Minds dialect, each of which is a workspace."""

from __future__ import annotations

import dataclasses

from cyclopts import App

from cli.home import find_home, find_layout
from cli.terminal import show_json, show_table
from contracts.errors import NotFound
from store.control import Control, DatabaseRecord, NewDatabase
from store.layout import Layout, name_fault

app = App(name="databases", help="Make, list and delete databases of the Crossing Minds dialect.")


@app.command
def create(
    name: str, *, item_id_type: str, user_id_type: str, session_id_type: str = "urlsafe64", description: str = "",
    workspace: str = "", json: bool = False,
) -> None:
    """Make a database. The types of its ids never change: int8..int64, uint8..uint64, uuid, hexN, urlsafeN, bytesN.

    Parameters
    ----------
    name
        Name, which no other database has.
    item_id_type
        Type of item ids.
    user_id_type
        Type of user ids.
    session_id_type
        Type of session ids.
    description
        Description.
    workspace
        Workspace that it is, an existing one or a new one; by default one of the database's name.
    json
        Print JSON.
    """
    workspace = workspace or ("" if name_fault(name) else name)
    new = NewDatabase(name, item_id_type, user_id_type, session_id_type, description, None, workspace)
    home = find_home()
    with Control.open(Layout(home)) as control:
        made = control.create_database(new)
    Layout(home, made.workspace).create()
    if json:
        show_json(dataclasses.asdict(made))
    else:
        print(f"made database {made.name}: id {made.id}, workspace {made.workspace}")


@app.command(name="list")
def list_databases(*, json: bool = False) -> None:
    """List databases.

    Parameters
    ----------
    json
        Print JSON.
    """
    with Control.open(Layout(find_home())) as control:
        found = list(control.directory().databases.values())
    if json:
        show_json([dataclasses.asdict(database) for database in found])
        return
    show_table(
        "Databases", ("id", "name", "workspace", "items", "users", "sessions", "made (UTC)"),
        [
            (one.id, one.name, one.workspace, one.item_id_type, one.user_id_type, one.session_id_type,
             f"{one.created_at:%Y-%m-%d %H:%M}")
            for one in found
        ],
        whole=("id",),
    )


@app.command
def delete(name: str, *, data: bool = False) -> None:
    """Delete a database: its programs no longer find it. Its workspace stays unless --data is given.

    Parameters
    ----------
    name
        Name or id.
    data
        Remove the workspace's journal, warehouse and runs too.
    """
    from store.definitions import load_settings
    from store.journal import Journal
    from store.removal import remove_workspace

    with Control.open(Layout(find_home())) as control:
        database = find_database(control, name)
        if not data:
            control.remove_database(database.id)
            print(f"deleted database {database.name}; workspace {database.workspace} is still there")
            return
        layout = find_layout(database.workspace, new=True)
        settings = load_settings(layout)
        with (
            Journal.open(layout, settings) as journal,
            journal.lease("pipeline", "databases delete", settings.pipeline.lease_seconds),
        ):
            control.remove_database(database.id)
        remove_workspace(layout)
    print(f"deleted database {database.name} and what workspace {database.workspace} held")


def find_database(control: Control, name: str) -> DatabaseRecord:
    """A database by name or id. Raises NotFound."""
    directory = control.directory()
    found = directory.by_name.get(name) or directory.databases.get(name)
    if found is None:
        raise NotFound(f"there is no database {name!r}", hint="`nightloom databases list` shows them")
    return found
