"""Why a scenario gives this list: the steps of its graph, each rule's cost, and the items, read as a lookup would."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from contracts.errors import NotReady
from contracts.settings import Settings
from scenarios.spec import Problem, Rules
from scenarios.url_forms import filter_from
from serving.live import Live
from serving.present import Present
from serving.scenario_bases import BadRules
from serving.scenario_lookup import examine
from serving.wishes import Wish
from store.journal import Journal
from store.layout import Layout


@dataclass(slots=True)
class ScenarioExplanation:
    """``steps``: stage and step of every visited scenario; ``costs``: one a rule; ``items`` in order with their names.

    ``source``: row or evaluated.
    """

    run_id: str
    reco_type: str
    source: str
    cold: bool
    steps: list[dict[str, Any]] = field(default_factory=list)
    costs: list[dict[str, Any]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def explain_scenario(
    layout: Layout, settings: Settings, wish: Wish, filters: tuple[str, ...] = ()
) -> ScenarioExplanation:
    """Explain one lookup against the run that is served and the journal as it is now.

    ``filters``: texts as a URL has them, on top of the scenario's. Raises NotReady without a run, and what a lookup
    raises.
    """
    rules = [filter_from(text, f"filter {text}") for text in filters]
    problems = [one for one in rules if isinstance(one, Problem)]
    if problems:
        raise BadRules(problems)
    wish.rules = Rules(amount=wish.rules.amount, filters=tuple(one for one in rules if not isinstance(one, Problem)))
    with Journal.open(layout, settings) as journal:
        live = Live(layout, settings, journal)
        live.open_now()
        view = live.view()
        if view is None:
            raise NotReady("no run is published yet", hint="nightloom run")
        moment = Present(view, settings.recommendations.event_weights)
        granted, costs = examine(moment, wish)
        named = [orjson.loads(moment.pack.items[item]) for item in granted.items]
    stages = {name: steps for name, steps in (granted.evaluated or {}).items() if isinstance(steps, list)}
    return ScenarioExplanation(
        moment.run_id, granted.reco_type, granted.source, granted.cold,
        [{"stage": stage, **step} for stage, steps in stages.items() for step in steps],
        [asdict(cost) for cost in costs],
        [{"rank": rank, "item_id": item["item_id"], "item_name": item["item_name"]}
         for rank, item in enumerate(named, 1)],
        granted.warnings,
    )
