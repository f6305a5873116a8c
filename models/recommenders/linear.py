"""Which linear item model a catalogue affords: the dense inverse of EASE, or a truncated spectral filter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.interactions import Interactions
from models.lesson import Lesson
from models.recommenders.ease import Ease
from models.recommenders.recommender import Recommender
from models.recommenders.spectral import Spectral

LARGE = 20_000
"""Items with an interaction beyond which EASE, solved for its head alone, leaves out more than half of them."""
HEAD = Ease().head
MOST = 0.95
"""Share of the interactions that its head has to have there, to be solved for nevertheless."""
LINEAR = (Ease.name, Spectral.name)


def affordable(interactions: Interactions) -> tuple[str, str]:
    """Name of the linear model for these interactions, and why."""
    profiles = interactions.item_profiles()
    known = int((profiles > 0).sum())
    if known <= LARGE:
        return Ease.name, f"{known:,} items with an interaction, at most {LARGE:,}: the dense inverse"
    share = float(np.sort(profiles)[-HEAD:].sum() / profiles.sum())
    of_them = (
        f"{known:,} items with an interaction, more than {LARGE:,}; the {HEAD:,} of most profiles have {share:.1%}"
    )
    if share >= MOST:
        return Ease.name, f"{of_them} of the interactions: the dense inverse of these"
    return Spectral.name, f"{of_them} of the interactions: a truncated spectral filter"


def linear_part(
    interactions: Interactions, parts: Mapping[str, Recommender], regularization: float | None, threads: int,
    lesson: Lesson | None = None,
) -> Recommender:
    """The linear model among ``parts``, or a new one fitted on ``interactions``; a ridge of None is settled by the
    lesson.
    """
    name, reason = affordable(interactions)
    found = parts.get(name)
    if found is not None:
        return found
    model = _made(name, regularization).fit(interactions, threads=threads, lesson=lesson)
    model.notes_["linear"] = reason
    return model


def past_linear(lesson: Lesson, regularization: float | None, threads: int) -> Recommender:
    """The linear model of the lesson's past."""
    return lesson.past(_made(affordable(lesson.split.train)[0], regularization), threads)


def _made(name: str, regularization: float | None) -> Recommender:
    return Ease(regularization) if name == Ease.name else Spectral()
