"""A fitted churn model as a JSON card and plain arrays, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.churn import survival
from models.churn.activity import Activity
from models.churn.aft import LogNormal
from models.churn.bgnbd import Visits
from models.churn.blend import Blend
from models.churn.calibrate import Calibrator
from models.churn.cox import Cox
from models.churn.curve import Shape
from models.churn.design import Design
from models.churn.hazard import Hazard
from models.churn.lives import Lives
from models.churn.scorer import Arrays, Scorer, prefixed, select_arrays
from models.churn.select import Fitted

PARTS: dict[str, Callable[[Arrays], Scorer]] = {
    "hazard": Hazard.restore,
    "cox": Cox.restore,
    "log_normal": LogNormal.restore,
    "activity": Activity.restore,
    "bg_nbd": Visits.restore,
}
RESTORERS: dict[str, Callable[[Arrays], Scorer]] = PARTS | {
    "blend": lambda arrays: Blend.restore(arrays, PARTS),
    "lives": lambda arrays: Lives.restore(arrays, survival.RESTORERS),
}


def to_card(fitted: Fitted) -> tuple[dict[str, Any], Arrays]:
    """Card (JSON values) and arrays (by name) of a fitted model."""
    card = {
        "scorer": fitted.scorer.name,
        "design": fitted.design.card(),
        "calibrator": {
            "slope": fitted.calibrator.slope,
            "levels": list(fitted.calibrator.levels),
            "level": fitted.calibrator.level,
        },
        "power": fitted.shape.power,
    }
    arrays = {
        "design.mean": fitted.design.mean,
        "design.scale": fitted.design.scale,
        "shape.days": fitted.shape.days,
        "shape.hazard": fitted.shape.hazard,
        "shape.later_days": fitted.shape.later_days,
        "shape.later": fitted.shape.later,
        **prefixed(fitted.scorer.arrays(), "scorer"),
    }
    return card, arrays


def restore(card: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Fitted:
    """The fitted model of this card and these arrays; it scores bit for bit as the one stored."""
    plain = {name: np.asarray(values) for name, values in arrays.items()}
    levels = card["calibrator"]
    return Fitted(
        Design.restore(card["design"], plain["design.mean"], plain["design.scale"]),
        RESTORERS[card["scorer"]](select_arrays(plain, "scorer")),
        Calibrator(float(levels["slope"]), tuple(levels["levels"]), float(levels["level"])),
        Shape(
            plain["shape.days"],
            plain["shape.hazard"],
            plain["shape.later_days"],
            plain["shape.later"],
            float(card["power"]),
        ),
    )


def explain(card: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], row: Mapping[str, Any]) -> dict[str, Any]:
    """All that a churn score is made of, for one profile: ``row`` maps each feature to its value (None is missing).

    Returns ``churn_score`` (before rules about explicit churn), ``base_log_odds``, ``log_odds``, and ``contributions``:
    every feature with its value and its additive share of the log-odds, largest size first. ``base_log_odds`` and the
    contributions sum to ``log_odds``.
    """
    fitted = restore(card, arrays)
    columns = {
        name: np.array([np.nan if value is None else value], dtype=object if isinstance(value, str) else np.float64)
        for name, value in row.items()
    }
    probability, contributions = fitted.explain(columns)
    shares = contributions[0]
    order = sorted(range(len(shares)), key=lambda place: (-abs(shares[place]), fitted.design.features[place]))
    return {
        "churn_score": float(probability[0]),
        "base_log_odds": fitted.base_log_odds,
        "log_odds": fitted.base_log_odds + float(shares.sum()),
        "contributions": [
            {
                "feature": name,
                "value": row[name],
                "effect": "raises" if shares[place] > 0 else "lowers",
                "contribution": float(shares[place]),
            }
            for place, name in ((place, fitted.design.features[place]) for place in order)
        ],
    }
