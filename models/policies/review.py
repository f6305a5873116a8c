"""One agent's night: a policy is learned, valued beside others on the log, and judged (decision contract, 8 to 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from decisions.sample_ratio import SampleRatio
from models.policies import targets
from models.policies.aa import Placebo
from models.policies.cells import FOLDS, AgentStatistics, Mask, Values
from models.policies.exposures import Contexts, Exposures
from models.policies.gates import Evidence, Verdict, judge
from models.policies.learn import learn_agent
from models.policies.off_policy import Valuation, estimate
from models.policies.policy import AgentPolicy, PointPolicy

HALVES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """What a night found of an agent.

    ``policy``: what was learned, without pattern rows if they failed G7. ``verdicts``: G1 to G7; ``held`` names the
    gates that keep the old rows serving. ``valuations``: of ``uniform``, ``default``, ``serving``,
    ``new`` and ``new_unseen``.
    """

    policy: AgentPolicy
    verdicts: tuple[Verdict, ...]
    valuations: Mapping[str, Valuation]

    @property
    def held(self) -> tuple[str, ...]:
        """Names of the failed gates that hold the publication back."""
        return tuple(one.gate for one in self.verdicts if not one.passed and one.gate != "G7")


def review_agent(
    seen: AgentStatistics,
    exposures: Exposures,
    serving: Sequence[PointPolicy | None],
    ratios: Mapping[str, SampleRatio],
    placebo: Placebo,
) -> Review:
    """Learn from ``seen`` and judge on ``exposures`` (their points are those of ``seen``).

    ``serving``: the rows now serving at each point of ``seen``, None where there are none (uniform).
    """
    exposures = exposures.gathered()
    learned = learn_agent(seen)
    gate = pattern_gate(seen, exposures, learned)
    policy = learned if gate.passed else learned.without_patterns()
    valuations = value_policies(seen, exposures, policy.points, serving, gate.passed)
    evidence = Evidence(
        policy=policy,
        stored={(point.point, point.decision_set): point.arms for point in seen.points},
        exposures=int(exposures.count.sum()),
        ratios=ratios,
        placebo=placebo,
        uniform=valuations["uniform"],
        default=valuations["default"],
        new=valuations["new"],
        serving=valuations["serving"],
    )
    return Review(policy, (*judge(evidence), gate), valuations)


def value_policies(
    seen: AgentStatistics,
    exposures: Exposures,
    new: Sequence[PointPolicy | None],
    serving: Sequence[PointPolicy | None],
    patterns: bool = True,
) -> dict[str, Valuation]:
    """Valuations of uniform, always-default, the serving and the new policy, with rewards modelled on other folds.

    A policy seems better on the log that taught it than it is. ``new_unseen`` is free of that: each fold is decided by
    what was learned from the other two (with pattern rows if ``patterns``).
    """
    contexts = exposures.contexts
    means, unseen = cross_fitted(seen, contexts, patterns)
    policies = {
        "uniform": targets.uniform(contexts),
        "default": targets.always_default(contexts, seen.points),
        "serving": targets.exploit(contexts.as_served(), serving),
        "new": targets.exploit(contexts, new),
        "new_unseen": unseen,
    }
    rows = exposures.gathered()
    return {name: estimate(rows, target, means) for name, target in policies.items()}


def cross_fitted(seen: AgentStatistics, contexts: Contexts, patterns: bool = True) -> tuple[Values, Values]:
    """Learned without each fold in turn, (3, C, K) each: the posterior mean of every arm where each context would be
    served, and the probability with which that policy would choose it (without pattern rows unless ``patterns``).
    """
    others: list[Mask] = [np.arange(FOLDS) != fold for fold in range(FOLDS)]
    learned = [learn_agent(seen, folds=kept) for kept in others]
    served = learned if patterns else [one.without_patterns() for one in learned]
    return (
        np.stack([targets.expected(contexts, one.points) for one in learned]),
        np.stack([targets.exploit(contexts, one.points) for one in served]),
    )


def pattern_gate(seen: AgentStatistics, exposures: Exposures, learned: AgentPolicy) -> Verdict:
    """G7: pattern rows earn at least as much as none, learned on one half of the sessions and valued on the other, both
    ways averaged.
    """
    if not any(fit.patterns for point in learned.points for fit in point.fits):
        return Verdict("G7", True, None, 0.0, "no pattern rows")
    gains = [_pattern_gain(seen, exposures, half) for half in range(HALVES)]
    told = [gain for gain in gains if gain is not None]
    if len(told) < HALVES:
        return Verdict("G7", False, None, 0.0, "pattern rows cannot be valued on half of the sessions")
    gain = sum(told) / HALVES
    return Verdict("G7", gain >= 0, gain, 0.0, "value with pattern rows less the value without")


def _pattern_gain(seen: AgentStatistics, exposures: Exposures, half: int) -> float | None:
    """What pattern rows learned on ``half`` add to the value on the other half; None if it cannot be told."""
    learned = learn_agent(seen, halves=np.arange(HALVES) == half)
    contexts = exposures.contexts
    rows = exposures.where(exposures.half != half)
    means = targets.expected(contexts, learned.points)[None]
    found = [
        estimate(rows, targets.exploit(contexts, one.points), means) for one in (learned, learned.without_patterns())
    ]
    if any("dr" not in one.estimates for one in found):
        return None
    return found[0].estimates["dr"].value - found[1].estimates["dr"].value
