"""JSON Schemas of the dialect's parameters and replies."""

from __future__ import annotations

from serving.schema_words import Schema, array, integer, number, obj, string, words

__all__ = ["array", "integer", "number", "obj", "string", "words"]

CODE = string(pattern="^[0-9A-Za-z_-]{1,50}$")
SESSION_ID = string(pattern="^[!-~]{1,128}$")
SESSION_SEEN = string(minLength=1, maxLength=128)
FEATURES = string(description="features separated by commas: vip,age:34,browser:Chrome")
TIME = number(0, description="seconds since 1970; the call is taken as of then")
OBJECT: Schema = {"type": "object"}
JSON = words("json")
RUNTIME: dict[str, Schema] = {"session": SESSION_ID, "segment": CODE, "features": FEATURES, "ts": TIME}

VALUES: Schema = {"type": "object", "additionalProperties": number()}
SEGMENT = string(minLength=1)
GOOD: Schema = {"not": {"anyOf": [{"required": ["err"]}, {"required": ["error"]}]}}
CHOICE = obj(
    {"code": CODE, "name": string(), "meta": {"type": "object", "additionalProperties": string()}},
    optional=("name", "meta"),
)
DECIDED = {
    "agent": CODE, "session": SESSION_SEEN, "policy": words("explore", "exploit", "control", "sticky"), "point": CODE,
    "segment": SEGMENT, "features": VALUES, "decisions": {"type": "object", "additionalProperties": CHOICE},
}
ONE = obj({**DECIDED, "decision": CODE}, **GOOD)
SEVERAL = obj(DECIDED, **GOOD)
GOAL = obj(
    {"agent": CODE, "session": SESSION_SEEN, "goal": CODE, "reward": number(), "value": number()}, **GOOD,
)
SESSION = obj({"agent": CODE, "session": SESSION_SEEN, "segment": SEGMENT, "features": VALUES}, **GOOD)
EXPIRED = obj({"agent": CODE, "session": SESSION_SEEN}, optional=("session",), **GOOD)
ERROR = obj({"err": string(minLength=1)})
