"""The scenarios that take part in one request: runtime and default, and before them the generic ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scenarios.context import Context
from scenarios.graph import Graph
from scenarios.merge import merge
from scenarios.resolve import MissingScenario, Resolution, Split, resolve
from scenarios.spec import RecoType, Rules

GENERIC = "generic_input_to_items"


@dataclass(frozen=True, slots=True)
class Sources:
    """What was resolved for one request of ``reco_type``; a stage that did not run is None."""

    reco_type: RecoType
    runtime: Resolution | None = None
    default: Resolution | None = None
    generic_runtime: Resolution | None = None
    generic_default: Resolution | None = None

    def _stages(self) -> tuple[Resolution, ...]:
        stages = (self.generic_runtime, self.generic_default, self.runtime, self.default)
        return tuple(stage for stage in stages if stage is not None)

    def rules(self, request: Rules) -> Rules:
        """The rules of the request over the runtime scenario's over the default scenario's."""
        runtime = self.runtime.case.rules if self.runtime else None
        return merge(request, runtime, self.default.case.rules if self.default else None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of every walk, each once."""
        return tuple(dict.fromkeys(text for stage in self._stages() for text in stage.warnings))

    @property
    def splits(self) -> tuple[Split, ...]:
        """The A/B tests that every walk passed."""
        return tuple(split for stage in self._stages() for split in stage.splits)

    @property
    def evaluated_scenarios(self) -> dict[str, Any] | None:
        """The steps of every stage that ran; None for a request without any scenario."""
        if not self._stages():
            return None
        said: dict[str, Any] = {}
        if self.generic_runtime:
            said["generic_runtime"] = list(self.generic_runtime.steps)
        if self.generic_default:
            said["generic_default"] = list(self.generic_default.steps)
        if self.generic_runtime or self.generic_default:
            said["reco_type"] = self.reco_type
        if self.runtime:
            said["runtime"] = list(self.runtime.steps)
        if self.default:
            said["default"] = list(self.default.steps)
        return said


def gather(graph: Graph, reco_type: RecoType, scenario: str | None, skip_default: bool, context: Context) -> Sources:
    """Walk the runtime scenario (empty or None: none) and the default one, unless skipped or not set.

    Raises MissingScenario and ScenarioLoop.
    """
    runtime = resolve(graph.lookup, reco_type, scenario, context) if scenario else None
    default = None if skip_default else graph.default(reco_type)
    return Sources(
        reco_type, runtime, resolve(graph.lookup, reco_type, default, context) if default else None
    )


def gather_generic(graph: Graph, scenario: str | None, skip_default: bool, context: Context) -> Sources:
    """Walk the generic scenario, named or the default of its type, then the scenarios of the reco type it leads to.

    ``skip_default`` skips the latter's default only. Raises MissingScenario, also where no generic scenario is named.
    """
    name = scenario or graph.default(GENERIC)
    if not name:
        raise MissingScenario(GENERIC)
    generic = resolve(graph.lookup, GENERIC, name, context)
    target = generic.case.rules.target
    assert target is not None  # a case of this reco type is not parsed without one
    found = gather(graph, target.reco_type, target.scenario, skip_default, context)
    return Sources(
        target.reco_type, found.runtime, found.default,
        generic if scenario else None, None if scenario else generic,
    )
