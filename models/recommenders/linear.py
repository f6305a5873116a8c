"""Which linear item model a catalogue affords: the dense inverse of EASE, or a truncated spectral filter."""

from __future__ import annotations

from collections.abc import Mapping

from models.interactions import Interactions
from models.recommenders.ease import Ease
from models.recommenders.recommender import Recommender
from models.recommenders.spectral import Spectral

LARGE = 20_000
"""Items with an interaction beyond which EASE, solved for its head alone, leaves out more than half of them."""
LINEAR = (Ease.name, Spectral.name)


def affordable(interactions: Interactions) -> tuple[str, str]:
    """Name of the linear model for these interactions, and why."""
    known = int((interactions.item_profiles() > 0).sum())
    if known <= LARGE:
        return Ease.name, f"{known:,} items with an interaction, at most {LARGE:,}: the dense inverse"
    return Spectral.name, f"{known:,} items with an interaction, more than {LARGE:,}: a truncated spectral filter"


def linear_part(
    interactions: Interactions, parts: Mapping[str, Recommender], regularization: float, threads: int
) -> Recommender:
    """The linear model among ``parts``, or a new one fitted on ``interactions``."""
    name, reason = affordable(interactions)
    found = parts.get(name)
    if found is not None:
        return found
    model: Recommender = Ease(regularization) if name == Ease.name else Spectral()
    model.fit(interactions, threads=threads)
    model.notes_["linear"] = reason
    return model
