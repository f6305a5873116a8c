"""``nightloom explain``: why these items, why this churn score, what a scenario's rules cost."""

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


@app.command
def scenario(
    reco_type: str,
    name: str = "",
    *,
    profile: str | None = None,
    item: str | None = None,
    filter: tuple[str, ...] = (),
    skip_default: bool = False,
    amt: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
    workspace: str = "",
    json: bool = False,
) -> None:
    """Explain a lookup under a scenario: each step of its graph, each rule's cost in items, and the list.

    Parameters
    ----------
    reco_type
        profile_to_items, item_to_items, session_to_items, ...
    name
        The scenario; without one the default scenario alone.
    profile
        Whom the list is for: the client's own id, or profile_id.
    item
        What the list is for.
    filter
        Further filter, as in a URL (price:lt:20); repeat it for several.
    skip_default
        Leave the default scenario out.
    amt
        How many items.
    workspace
        Workspace.
    json
        Print JSON.
    """
    import time

    from scenarios.spec import Rules
    from serving.scenario_explanation import explain_scenario
    from serving.wishes import Wish
    from store.settings_file import load_settings

    layout = find_layout(workspace)
    wish = Wish(
        reco_type, scenario=name or None, skip_default=skip_default, rules=Rules(amount=amt), user_id=profile,
        item_id=item, now=time.time(),
    )
    explanation = explain_scenario(layout, load_settings(layout), wish, filter)
    if json:
        show_json(dataclasses.asdict(explanation))
        return
    show_facts({"run": explanation.run_id, "list": f"{explanation.reco_type}, {explanation.source}"})
    show_table(
        "Scenarios on the way", ("stage", "scenario", "kind", "leads to"),
        [(step["stage"], step["scenario_name"], step["scenario_type"], step.get("to", "")) for step in
         explanation.steps],
    )
    show_table(
        "What each rule costs (of the list there would be without rules; of the whole catalogue; of the answer)",
        ("rule", "takes away", "leaves", "changes"),
        [(cost["rule"], cost["dropped"], cost["left"], cost["changed"]) for cost in explanation.costs],
        right=("takes away", "leaves", "changes"),
    )
    show_table(
        "The list", ("rank", "item", "name"),
        [(row["rank"], row["item_id"], row["item_name"]) for row in explanation.items], right=("rank",),
        whole=("item",),
    )
    for warning in explanation.warnings:
        print(f"warning: {warning}")


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
