"""The recommenders that stand for election each night, and how one is made and fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.settings import Settings
from models.interactions import Interactions
from models.items import Items
from models.lesson import Lesson
from models.recommenders.linear import LINEAR
from models.recommenders.recommender import Recommender
from models.registry import RECOMMENDERS
from models.split import Mode

NEIGHBOURING, CONTENT = "neighbours", "content"
CANDIDATES = ("popular", NEIGHBOURING, "ease", "spectral", "als", CONTENT, "blend", "ensemble", "ranker")
SHARED_PARTS = (*LINEAR, "als", NEIGHBOURING, CONTENT, "blend")
"""Candidates that others are made of; each is fitted before those that take it over."""
LEARNING = ("ease", "als", "blend", "ensemble", "ranker")
"""Those that learn from an earlier window: their parameters, or how to combine others."""
OF_THE_PAST = (*LINEAR, "als", NEIGHBOURING)
"""Those whose fit on the past of a lesson others take over."""


def make(name: str, settings: Settings) -> Recommender:
    """An unfitted model with the parameters that the settings give."""
    given: dict[str, dict[str, Any]] = {
        "als": {"factors": settings.recommendations.factors, "seed": settings.pipeline.seed},
        "ensemble": {"factors": settings.recommendations.factors, "seed": settings.pipeline.seed},
        "ranker": {"seed": settings.pipeline.seed},
    }
    return RECOMMENDERS[name](**given.get(name, {}))


def fit(
    name: str, settings: Settings, interactions: Interactions, items: Items, lesson: Lesson | None,
    parts: Mapping[str, Recommender],
) -> Recommender:
    """Fit candidate ``name``; ``parts`` are models that were fitted on the same ``interactions``."""
    return make(name, settings).fit(
        interactions, items, threads=settings.pipeline.threads, lesson=lesson, parts=parts
    )


def mode_of(settings: Settings) -> Mode:
    """What the lists are for."""
    return "repeat" if settings.recommendations.recommend_interacted_items else "new"
