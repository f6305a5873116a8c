"""``nightloom config algorithm``: an algorithm's configuration, in the spelling of an earlier command line."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from cli.account_state import WHO, opened
from contracts.errors import UsageError

app = App(name="config", help="Set or show the configurations of the algorithms.")


@app.command
def algorithm(
    *,
    operation: Annotated[Literal["set", "get"], Parameter(name=("--operation", "-o"))],
    algorithm: Annotated[Literal["rec", "churn"] | None, Parameter(name=("--algorithm", "-a"))] = None,
    profile_features: str = "",
    recommend_interacted_items: Literal["true", "false"] = "false",
    item_id_stop_list: str = "",
    workspace: str = "",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Set or show the configuration of an algorithm; all of it is overwritten.

    Parameters
    ----------
    operation
        set or get.
    algorithm
        rec or churn.
    profile_features
        Keys of profiles, with commas between them.
    recommend_interacted_items
        Whether items may be recommended that the profile has bought.
    item_id_stop_list
        Items that are never recommended, with commas between them.
    workspace
        Workspace.
    json
        Print JSON (get).
    """
    from cli.get_account import algorithmconfig
    from store.account_apply import Desk
    from store.account_bodies import algorithm_body
    from store.account_documents import ALGORITHM

    if operation == "get":
        algorithmconfig(algorithm, workspace=workspace, json=json)
        return
    if algorithm is None:
        raise UsageError("missing: -a", hint="nightloom config algorithm --help")
    given = {
        "profile_features": _names(profile_features), "item_id_stop_list": _names(item_id_stop_list),
        "recommend_interacted_items": recommend_interacted_items == "true",
    }
    with opened(workspace) as (_, settings, journal), journal.writing() as connection:
        Desk(journal, settings, WHO).put(connection, ALGORITHM, algorithm, algorithm_body(algorithm, given))
    print(f"configuration of {algorithm} set")


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
