"""Recommenders by name, and the card that describes a fitted one. A new recommender is one file and one line here."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from models.recommenders.als import Als
from models.recommenders.blend import Blend
from models.recommenders.content import Content
from models.recommenders.ease import Ease
from models.recommenders.ensemble import Ensemble
from models.recommenders.neighbours import Neighbours
from models.recommenders.popular import Popular
from models.recommenders.ranker import Ranker
from models.recommenders.recommender import Recommender
from models.recommenders.spectral import Spectral

RECOMMENDERS: dict[str, type[Recommender]] = {
    kind.name: kind for kind in (Popular, Neighbours, Ease, Spectral, Als, Content, Blend, Ensemble, Ranker)
}


def describe(model: Recommender) -> dict[str, Any]:
    """JSON-able card of a fitted model: with its arrays, enough for ``restore``."""
    return {"name": model.name, "params": model.get_params(), "n_items": model.n_items_, "notes": model.notes_}


def restore(card: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Recommender:
    """The model of this card and these arrays. Raises ``KeyError`` for a name that is not registered."""
    model = RECOMMENDERS[card["name"]].from_arrays(card["params"], arrays)
    model.notes_ = dict(card.get("notes", {}))
    return model
