"""JSON Schemas of agents and their parts, for the description of the management routes."""

from __future__ import annotations

from typing import Any

from decisions import creation

Schema = dict[str, Any]
CODE: Schema = {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,50}$"}
TEXT: Schema = {"type": "string"}
SWITCH: Schema = {"type": "boolean"}
RATE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
STATUS: Schema = {"enum": ["enabled", "paused", "stopped", "provisional"]}
WHOLE: Schema = {"type": "integer", "minimum": 0}


def _object(required: tuple[str, ...] = (), **members: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": members}


def _some(items: Schema, most: int) -> Schema:
    return {"type": "array", "items": items, "maxItems": most}


SUCCESS = _object(("success",), success={"const": True})
STATUS_OK = _object(("status",), status={"const": "ok"})
CODES: Schema = {"type": "array", "items": CODE}
PART = _object(name=TEXT)
FLAT_AGENT: Schema = {"type": "object", "properties": {
    "name": TEXT, "selection-mode": {"enum": ["random", "adaptive"]}, "status": STATUS, "control-rate": RATE,
    "explore-rate": RATE, "decision-stickiness": {"enum": ["session", "none"]},
}}

_CHOICE = _object(("code",), code=CODE, name=TEXT, meta={"type": "object", "additionalProperties": TEXT})
_DECISION = _object(
    ("code",), code=CODE, name=TEXT, choices=_some(_CHOICE, creation.CHOICES), pausedChoice=CODE
)
_FIXED = _object(("feature", "decision"), feature=TEXT, decision=TEXT)
_POINT = _object(
    ("code",), code=CODE, name=TEXT, decisions=_some(_DECISION, creation.DECISIONS),
    fixedTargeting={"type": "array", "items": _FIXED},
)
_NUMBER: Schema = {"type": "number"}
_GOAL = _object(
    ("code",), code=CODE, name=TEXT, settings=_object(min=_NUMBER, max=_NUMBER, default=_NUMBER, limit=WHOLE)
)
AGENT_DOCUMENT = _object(
    code=CODE, owner=TEXT, name=TEXT, created=WHOLE, ts=WHOLE, status=STATUS, aa=SWITCH,
    goals=_some(_GOAL, creation.GOALS), points=_some(_POINT, creation.POINTS),
    learning=_object(
        explorationRate=RATE, controlGroupRate=RATE, windowDays={"type": "integer", "minimum": 1, "maximum": 3650},
        rewardModel={"enum": ["auto", "binary", "valued"]},
    ),
    settings=_object(
        sessions=_object(
            sticky=SWITCH, timeout={"type": "integer", "minimum": 60, "maximum": 31_536_000}, visitLen=WHOLE
        ),
        cookies=_object(enabled=SWITCH), allowUndo=SWITCH,
    ),
    targeting=_object(segments=_some(CODE, creation.SEGMENTS), features={"type": "array", "items": TEXT}),
)
