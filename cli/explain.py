"""``nightloom explain``: why these items, why this churn score."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

from cli.home import find_layout
from cli.terminal import show_facts, show_json, show_table

app = App(name="explain", help="Explain a profile's list and churn score.")


@app.command
def profile(
    profile_id: str,
    *,
    amt: Annotated[int, Parameter(validator=Number(gte=0))] = 10,
    workspace: str = "",
    json: bool = False,
) -> None:
    """Explain what is served for one profile: its history, its list item by item, its churn score.

    Parameters
    ----------
    profile_id
        profile_id or customer_id.
    amt
        Items of the list to explain.
    workspace
        Workspace.
    json
        Print JSON.
    """
    from flows.explanation import explain

    explanation = explain(find_layout(workspace), profile_id, amt)
    if json:
        show_json(dataclasses.asdict(explanation))
        return
    known = explanation.profile
    show_facts({
        "profile": f"{known['profile_id']} ({known['customer_id']})",
        "status": f"{known['status']}, known since {known['created_at']:%Y-%m-%d %H:%M} UTC",
        "run": f"{explanation.run_id} (as of {explanation.as_of} UTC)",
    })
    show_table(
        "What it did most (weighted by age and kind of event)",
        ("item", "name", "events", "last (UTC)", "weight"),
        [
            (row["item_id"], row["item_name"], row["events"], row["last_at"], _digits(row["weight"], 3))
            for row in explanation.history
        ],
        right=("events", "weight"),
        whole=("item",),
    )
    show_table(
        "What it is shown",
        ("rank", "item", "name", "score", "because of"),
        [
            (row["rank"], row["item_id"], row["item_name"], _digits(row["score"], 4), _because(row))
            for row in explanation.items
        ],
        right=("rank", "score"),
        whole=("item",),
    )
    if explanation.items:
        print(f"ordered by model {explanation.items[0]['model']}")
    _churn(explanation.churn)
    for row in explanation.excluded:
        print(f"left out of {row['algorithm']}: {row['reason']} {', '.join(row['missing_keys'] or ())}".rstrip())
    for row in explanation.failed_checks:
        print(f"failed check {row['expectation']} ({row['severity']}): {row['value']}")


def _because(row: dict[str, Any]) -> str:
    """The profile's own items that lead to this one, else its place in the popularity order."""
    if row["because"] and not row["cold"]:
        return ", ".join(str(via["item_name"] or via["item_id"]) for via in row["because"])
    rank = row["popularity_rank"]
    return f"popularity (rank {rank})" if rank else "no interaction yet: like others by its description"


def _digits(value: float | None, digits: int, sign: str = "") -> str:
    """A figure with so many significant digits: weights and scores of old events are small, not nothing."""
    return "" if value is None else f"{value:{sign}#.{digits}g}"


def _churn(churn: dict[str, Any] | None) -> None:
    if churn is None:
        print("churn: not scored (not in the population, or no model)")
        return
    print(
        f"churn: {churn['churn_score']:.3f} within {churn['horizon_days']} days ({churn['churn_probability']}), "
        f"median {churn['expected_days_to_churn']} days, model {churn['model']}"
    )
    show_table(
        "Why this score (contributions to the log-odds against the average profile)",
        ("feature", "value", "effect", "contribution"),
        [
            (reason["feature"], reason["value"], reason["effect"], _digits(reason["contribution"], 3, "+"))
            for reason in churn["churn_reasons"] or ()
        ],
        right=("contribution",),
    )
