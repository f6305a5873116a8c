"""The walk of a scenario's graph, down to one case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contracts.errors import NightloomError, NotFound
from scenarios.bucket import group
from scenarios.conditions import true_of
from scenarios.context import Context
from scenarios.spec import AbTest, Alias, Case, Condition, Definition, RecoType

Lookup = Callable[[RecoType, str], Definition | None]
"""The definition of that name within a reco type, None where there is none."""


class MissingScenario(NotFound):
    """A walk reached a scenario that does not exist, or none is named. ``key``: its name, or the reco type."""

    def __init__(self, reco_type: RecoType, name: str = "") -> None:
        self.reco_type = reco_type
        self.name = name
        self.key = name or reco_type
        missing = f"there is no scenario `{name}`" if name else "there is no default scenario"
        super().__init__(f"{missing} of {reco_type}", hint="`nightloom get scenarios` lists them")


class ScenarioLoop(NightloomError):
    """A walk came back to where it had been; only scenarios that were never checked together can do that."""

    def __init__(self, reco_type: RecoType, names: list[str]) -> None:
        self.names = tuple(names)
        super().__init__(f"scenarios of {reco_type} go in a circle: {' -> '.join(names)}")


@dataclass(frozen=True, slots=True)
class Split:
    """One A/B test that a walk passed, and the group (``A`` or ``B``) that its subject is in."""

    test_id: str
    reco_type: RecoType
    scenario_name: str
    group: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """Where a walk ended: a case, its name, the steps on the way as ``evaluated_scenarios`` has them, and warnings.

    ``splits``: the A/B tests on the way; without a subject there are none.
    """

    case: Case
    name: str
    steps: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...] = ()
    splits: tuple[Split, ...] = ()


def resolve(lookup: Lookup, reco_type: RecoType, name: str, context: Context) -> Resolution:
    """Walk from a scenario to the case it leads to in this request.

    Visits every scenario at most once: raises ScenarioLoop on the second visit, MissingScenario for a name that does
    not exist.
    """
    steps: list[dict[str, Any]] = []
    warnings: list[str] = []
    splits: list[Split] = []
    visited: dict[str, None] = {}
    while True:
        definition = lookup(reco_type, name)
        if definition is None:
            raise MissingScenario(reco_type, name)
        if name in visited:
            raise ScenarioLoop(reco_type, [*list(visited)[list(visited).index(name):], name])
        visited[name] = None
        step: dict[str, Any] = {"scenario_type": definition.scenario_type, "scenario_name": name}
        steps.append(step)
        scenario = definition.scenario
        if isinstance(scenario, Case):
            step["case"] = scenario.raw
            return Resolution(scenario, name, tuple(steps), tuple(dict.fromkeys(warnings)), tuple(splits))
        step["to"], onward = _onward(scenario, context, name, warnings)
        if isinstance(scenario, AbTest) and context.subject is not None:
            splits.append(Split(scenario.id, reco_type, name, step["to"]))
        name = onward


def _onward(
    scenario: AbTest | Condition | Alias, context: Context, name: str, warnings: list[str]
) -> tuple[str, str]:
    """The word for the way taken, and the scenario it leads to."""
    if isinstance(scenario, Alias):
        return scenario.scenario_name, scenario.scenario_name
    if isinstance(scenario, Condition):
        taken = true_of(scenario, context, warnings)
        return ("then", scenario.then) if taken else ("else", scenario.otherwise)
    subject = context.subject
    if subject is None:
        warnings.append(f"A/B test `{name}` has no user or session to split by: A is taken")
    way = "A" if subject is None else group(scenario.id, subject)
    return way, scenario.scenario_a if way == "A" else scenario.scenario_b


def references(definition: Definition) -> tuple[tuple[RecoType, str], ...]:
    """The scenarios that a definition may lead to, within its reco type or, for a generic case, in the other."""
    names: tuple[str, ...]
    match definition.scenario:
        case AbTest(scenario_a=a, scenario_b=b):
            names = (a, b)
        case Condition(then=then, otherwise=otherwise):
            names = (then, otherwise)
        case Alias(scenario_name=name):
            names = (name,)
        case Case(rules=rules):
            target = rules.target
            return ((target.reco_type, target.scenario),) if target and target.scenario else ()
    return tuple((definition.reco_type, name) for name in dict.fromkeys(names))
