"""What a comparison says: tables, and ours against the best reference, subject by subject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.benchmark.protocols import Figures


def groups(figures: Sequence[Figures]) -> dict[str, list[Figures]]:
    """The figures of each mode, in their order."""
    found: dict[str, list[Figures]] = {}
    for one in figures:
        found.setdefault(one.mode, []).append(one)
    return found


def columns(group: Sequence[Figures]) -> list[str]:
    """Names of the metrics, the headline first."""
    return list(dict.fromkeys(name for one in group for name in one.metrics))


def figure(value: float, error: float | None) -> str:
    """A value with its standard error."""
    return f"{value:.4f}" + ("" if error is None else f" ± {error:.4f}")


def rows(group: Sequence[Figures]) -> list[list[str]]:
    """A row for each model: whose it is, its name, every metric, and seconds to fit and to rank."""
    return [
        [
            "reference" if one.reference else "ours",
            one.model,
            *(figure(*one.metrics[name]) if name in one.metrics else "" for name in columns(group)),
            f"{one.fit_seconds:.1f}",
            f"{one.rank_seconds:.1f}",
        ]
        for one in group
    ]


def heads(group: Sequence[Figures]) -> list[str]:
    """Names of the columns of ``rows``."""
    return ["of", "model", *columns(group), "fit s", "rank s"]


def verdict(group: Sequence[Figures]) -> dict[str, Any]:
    """The best of ours and the best reference by the headline, their quotient, and their difference with the standard
    error of the profiles' differences. Empty where one of them is missing.
    """
    headline = columns(group)[0]
    best: dict[bool, Figures] = {}
    for one in group:
        if one.reference not in best or one.metrics[headline][0] > best[one.reference].metrics[headline][0]:
            best[one.reference] = one
    if len(best) < 2:
        return {}
    ours, theirs = best[False], best[True]
    gain = ours.per_subject - theirs.per_subject
    error = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else 0.0
    value, against = ours.metrics[headline][0], theirs.metrics[headline][0]
    return {
        "metric": headline,
        "ours": ours.model,
        "reference": theirs.model,
        "value": value,
        "against": against,
        "ratio": value / against if against else None,
        "difference": float(gain.mean()) if len(gain) else 0.0,
        "standard_error": error,
        "subjects": ours.subjects,
    }


def in_words(found: dict[str, Any]) -> str:
    """The verdict as a sentence; a difference below two standard errors is none."""
    if not found:
        return ""
    ratio = "" if found["ratio"] is None else f" ({found['ratio']:.2f} x)"
    sure = abs(found["difference"]) >= 2 * found["standard_error"]
    won = "ahead of" if found["difference"] > 0 else "behind"
    return (
        f"{found['ours']} {found['value']:.4f} is {won if sure else 'level with'} {found['reference']} "
        f"{found['against']:.4f}{ratio}: {found['metric']} differs by {found['difference']:+.4f} "
        f"± {found['standard_error']:.4f} over {found['subjects']:,} profiles"
    )


def markdown(title: str, figures: Sequence[Figures]) -> str:
    """Everything as a page."""
    parts = [f"# {title}"]
    for mode, group in groups(figures).items():
        header = heads(group)
        lines = [f"| {' | '.join(header)} |", "|---|---|" + "---:|" * (len(header) - 2)]
        lines += [f"| {' | '.join(row)} |" for row in rows(group)]
        parts += [f"## {group[0].protocol}, {mode} ({group[0].subjects:,} profiles)", "\n".join(lines)]
        if words := in_words(verdict(group)):
            parts.append(f"{words[0].upper()}{words[1:]}.")
    return "\n\n".join(parts) + "\n"


def as_json(figures: Sequence[Figures]) -> dict[str, Any]:
    """Everything as values."""
    return {
        "figures": [
            {
                "protocol": one.protocol,
                "mode": one.mode,
                "model": one.model,
                "reference": one.reference,
                "subjects": one.subjects,
                "fit_seconds": one.fit_seconds,
                "rank_seconds": one.rank_seconds,
                "notes": dict(one.notes),
                "metrics": {name: {"value": v, "standard_error": e} for name, (v, e) in one.metrics.items()},
            }
            for one in figures
        ],
        "verdicts": {mode: verdict(group) for mode, group in groups(figures).items()},
    }
