"""What a policy must pass before it is published (decision contract, section 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from decisions.assignment import floor
from decisions.sample_ratio import LEVEL, SampleRatio
from models.policies.aa import GREATEST_SHARE, LEAST_EXPOSURES, Placebo
from models.policies.cells import Values
from models.policies.off_policy import LEAST_SUPPORT, MEAN_WEIGHT_ERRORS, Valuation, near_one
from models.policies.policy import AgentPolicy

FEW_EXPOSURES = 100
"""Below, the log is too short to be called wrong: G1 and G2 pass."""
ONE_SIDED = 1.645
TOLERANCE = 0.05
"""Of the value of always answering the default: what a new policy may seem to lose."""
SUM_ERROR = 1e-9


@dataclass(frozen=True, slots=True)
class Verdict:
    """One gate: what was found, what was asked, and in words. ``statistic`` is None where there is nothing to judge."""

    gate: str
    passed: bool
    statistic: float | None
    threshold: float | None
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What an agent's gates are judged on, over its exposures of the window.

    ``ratios``: sample-ratio tests of the version now serving (arms and cells, of every point and decision set), by
    name. ``uniform``, ``default``, ``new``, ``serving``: valuations of these policies. ``stored``: arms of every
    (point, decision set).
    """

    policy: AgentPolicy
    stored: Mapping[tuple[str, str], tuple[str, ...]]
    exposures: int
    ratios: Mapping[str, SampleRatio]
    placebo: Placebo
    uniform: Valuation
    default: Valuation
    new: Valuation
    serving: Valuation


def judge(evidence: Evidence) -> list[Verdict]:
    """G1 to G6, in order. G7 is judged where pattern rows are learned: it drops them, it holds nothing back."""
    return [
        sample_ratio_gate(evidence.ratios, evidence.exposures),
        weights_gate(evidence.uniform, evidence.exposures),
        support_gate(evidence.new, evidence.policy.is_uniform()),
        value_gate(evidence.new, evidence.default, evidence.serving, evidence.policy.is_uniform()),
        placebo_gate(evidence.placebo),
        form_gate(evidence.policy, evidence.stored),
    ]


def sample_ratio_gate(ratios: Mapping[str, SampleRatio], exposures: int) -> Verdict:
    """G1: every sample-ratio test has p >= 0.001."""
    if exposures < FEW_EXPOSURES or not ratios:
        return Verdict("G1", True, None, LEVEL, "too few exposures to judge")
    name = min(sorted(ratios), key=lambda one: ratios[one].p_value)
    worst = ratios[name]
    detail = f"least p of {len(ratios)} sample-ratio tests: {name}"
    return Verdict("G1", all(one.passed for one in ratios.values()), worst.p_value, LEVEL, detail)


def weights_gate(uniform: Valuation, exposures: int) -> Verdict:
    """G2: the mean of (1/K)/p lies within 1 +- 3 standard errors."""
    if exposures < FEW_EXPOSURES:
        return Verdict("G2", True, None, None, "too few exposures to judge")
    mean, error = uniform.mean_weight, uniform.mean_weight_error
    if mean is None or error is None:
        return Verdict("G2", False, None, None, f"weights cannot be had: {uniform.reason}")
    return Verdict(
        "G2", near_one(mean, error), mean, MEAN_WEIGHT_ERRORS * error, "mean of (1/K)/p, 1 if the log is right"
    )


def support_gate(new: Valuation, exempt: bool) -> Verdict:
    """G3: the new policy's effective sample size is at least 5 % of the exposures."""
    if exempt:
        return _exempt("G3")
    if new.support is None:
        return Verdict("G3", False, None, LEAST_SUPPORT, f"not valued: {new.reason}")
    share = new.support / new.exposures
    return Verdict(
        "G3", new.supported, share, LEAST_SUPPORT, f"effective sample size {new.support:.1f} of {new.exposures}"
    )


def value_gate(new: Valuation, default: Valuation, serving: Valuation, exempt: bool) -> Verdict:
    """G4: the new policy is surely not much worse than the default, or seems not much worse than what serves."""
    if exempt:
        return _exempt("G4")
    if "dr" not in new.estimates or "dr" not in default.estimates:
        return Verdict("G4", False, None, None, f"not valued: {new.reason or default.reason}")
    found, base = new.estimates["dr"], default.estimates["dr"]
    tolerance = TOLERANCE * abs(base.value)
    lower = found.value - ONE_SIDED * found.error
    if lower >= base.value - tolerance:
        return Verdict("G4", True, lower, base.value - tolerance, "lower bound against always the default")
    if "dr" not in serving.estimates:
        return Verdict("G4", False, lower, base.value - tolerance, f"what serves is not valued: {serving.reason}")
    least = serving.estimates["dr"].value - tolerance
    return Verdict("G4", found.value >= least, found.value, least, "value against what serves")


def placebo_gate(placebo: Placebo) -> Verdict:
    """G5: at most 8.3 % of placebo comparisons find a difference."""
    if placebo.exposures < LEAST_EXPOSURES:
        return Verdict("G5", True, None, GREATEST_SHARE, "too few explore exposures to judge")
    return Verdict(
        "G5", placebo.passed, placebo.share, GREATEST_SHARE, "share of placebo comparisons that find something"
    )


def form_gate(policy: AgentPolicy, stored: Mapping[tuple[str, str], tuple[str, ...]]) -> Verdict:
    """G6: weights are finite, not negative and add up to 1; all stored arms are there; no arm falls below the floor."""
    problems: list[str] = []
    worst = 0.0
    for point in policy.points:
        place = f"{point.point}, {point.decision_set}"
        if not np.isfinite(point.weight).all() or (point.weight < 0).any():
            problems.append(f"{place}: weights that are not finite or below 0")
            continue
        worst = max(worst, float(np.abs(point.weight.sum(axis=1) - 1).max(initial=0)))
        missing = set(stored.get((point.point, point.decision_set), ())) - set(point.arms)
        if missing:
            problems.append(f"{place}: no rows for {', '.join(sorted(missing))}")
        if _below_floor(point.weight):
            problems.append(f"{place}: an arm below the floor")
    if worst > SUM_ERROR:
        problems.append("weights do not add up to 1")
    return Verdict("G6", not problems, worst, SUM_ERROR, "; ".join(problems) or "well formed")


def _below_floor(weight: Values) -> bool:
    arms = weight.shape[1]
    least = floor(arms)
    return bool((least + (1 - arms * least) * weight < least - SUM_ERROR).any())


def _exempt(gate: str) -> Verdict:
    return Verdict(gate, True, None, None, "uniform rows only: exempt")
