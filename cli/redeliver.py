"""``nightloom redeliver``: queue a notification again."""

from __future__ import annotations

from cli.account_state import opened


def redeliver(delivery_id: str, /, *, workspace: str = "") -> None:
    """Queue a notification again under its id; the serving process, or the end of the next flow, sends it.

    Parameters
    ----------
    delivery_id
        Its id, as `nightloom get deliveries` shows it.
    workspace
        Workspace.
    """
    from store.journal import outbox

    with opened(workspace) as (_, _, journal), journal.writing() as connection:
        outbox.redeliver(connection, delivery_id, journal.clock())
    print(f"queued {delivery_id}")
