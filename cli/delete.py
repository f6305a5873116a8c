"""``nightloom delete``: event types, segments and templates of an account."""

from __future__ import annotations

from collections.abc import Sequence

from cyclopts import App

from cli.account_state import WHO, opened
from contracts.errors import NightloomError, UsageError

app = App(name="delete", help="Delete event types, segments and messaging templates.")
MOST = 100


@app.command
def eventtypes(*ids: str, workspace: str = "") -> None:
    """Delete event types; their stored events stay.

    Parameters
    ----------
    ids
        1 to 100 ids or names.
    workspace
        Workspace.
    """
    from store.event_type_documents import remove

    _check(ids)
    with opened(workspace) as (_, _, journal), journal.writing() as connection:
        refused = remove(connection, ids, WHO, journal.clock())
    _tell(ids, refused)


@app.command
def segments(*ids: str, workspace: str = "") -> None:
    """Delete segments with their tags.

    Parameters
    ----------
    ids
        1 to 100 ids.
    workspace
        Workspace.
    """
    from store.segment_documents import remove

    _check(ids)
    with opened(workspace) as (_, _, journal), journal.writing() as connection:
        missing = remove(connection, list(dict.fromkeys(ids)), WHO, journal.clock())
    _tell(ids, dict.fromkeys(missing, "there is no such segment"))


@app.command
def templates(*ids: str, workspace: str = "") -> None:
    """Delete messaging templates.

    Parameters
    ----------
    ids
        1 to 100 ids.
    workspace
        Workspace.
    """
    from store.template_documents import remove

    _check(ids)
    with opened(workspace) as (_, _, journal), journal.writing() as connection:
        missing = remove(connection, list(dict.fromkeys(ids)), WHO, journal.clock())
    _tell(ids, dict.fromkeys(missing, "there is no such template"))


def _check(ids: Sequence[str]) -> None:
    if not 1 <= len(ids) <= MOST:
        raise UsageError(f"1 to {MOST} ids are needed, not {len(ids)}", hint="nightloom get lists them: --ids")


def _tell(ids: Sequence[str], refused: dict[str, str]) -> None:
    for one in dict.fromkeys(ids):
        if one not in refused:
            print(f"deleted {one}")
    if refused:
        raise NightloomError("; ".join(f"{one}: {why}" for one, why in refused.items()))
