"""Parameters of a call from wherever clients put them (3.2): query, form or JSON body, headers, cookie, in this order.

A value that means absent falls through to the next source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, unquote_plus

import orjson

from decisions.codes import ABSENT
from serving.conductrics.errors import bad_request

HEADER = "x-mpath-"
COOKIE = "mpid"
BY_HEADER = frozenset({
    "apikey", "session", "point", "decision-policy", "reward", "segment", "features", "ip", "ua", "referer", "ts",
    "status",
})
ENCODED = frozenset({"features", "segment"})
"""What may be percent-encoded in a header too."""
FORM = b"application/x-www-form-urlencoded"
JSON_TYPES = (b"application/json", b"text/json")

Values = Mapping[str, str]


@dataclass(slots=True)
class Parameters:
    """Values by name. ``headers``: those of the request, by name in lower case; ``raw``: its query."""

    query: Values
    form: Values = field(default_factory=dict)
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    outer: Values = field(default_factory=dict)
    raw: bytes = b""

    def left_empty(self, name: str) -> bool:
        """Whether the query has the parameter without a value."""
        given = (part.partition(b"=") for part in self.raw.lstrip(b"?").split(b"&"))
        return any(unquote_plus(one.decode("utf-8", "replace")) == name and not value for one, _, value in given)

    def get(self, name: str) -> str:
        """The value of a parameter, empty if absent."""
        found = self.query.get(name) or self.form.get(name) or self.outer.get(name)
        if found is None and name in BY_HEADER and self.headers:
            found = self._header(name)
        return found or ""

    def session(self) -> str:
        """The session id that was sent, also as a cookie; empty if none was."""
        return self.get("session") or _cookie(self.headers.get(b"cookie", b""))

    def _header(self, name: str) -> str | None:
        raw = self.headers.get(f"{HEADER}{name}".encode())
        if raw is None:
            return None
        text = raw.decode("utf-8", "replace").strip()
        if name in ENCODED and "%" in text:
            text = unquote(text)
        return None if text in ABSENT else text

    def all(self) -> dict[str, str]:
        """Every value of query and form."""
        return {**self.outer, **self.form, **self.query}


def parse_query(raw: bytes) -> dict[str, str]:
    """Values of a query string or form, leniently: empty parts, a stray ``?`` and bare characters are accepted.

    Of a name that comes twice the first value counts; features add up.
    """
    found: dict[str, str] = {}
    if not raw:
        return found
    for part in raw.decode("utf-8", "replace").lstrip("?").split("&"):
        name, _, value = part.partition("=")
        if not name:
            continue
        if "%" in name or "+" in name:
            name = unquote_plus(name)
        if "%" in value or "+" in value:
            # A plus in an id that nobody encoded is a plus; ids have no spaces.
            value = unquote(value) if name == "session" else unquote_plus(value)
        value = value.rstrip("?") if value.endswith("?") else value
        if value in ABSENT:
            continue
        if name not in found:
            found[name] = value
        elif name == "features":
            found[name] += f",{value}"
    return found


def parse_body(raw: bytes, media_type: bytes, query: Values) -> tuple[dict[str, str], Any]:
    """Values of a body, and the body itself where it is JSON (None where it is not). Raises ApiError (400)."""
    if not raw.strip():
        return {}, None
    kind = media_type.split(b";", 1)[0].strip().lower()
    declared = query.get("_type") == "json" or kind in JSON_TYPES or kind.endswith(b"+json")
    if declared or (kind != FORM and raw.lstrip()[:1] in (b"{", b"[")):
        try:
            body = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError:
            if declared:
                raise bad_request("the body is no JSON") from None
            return {}, None
        return _values(body), body
    return (parse_query(raw) if kind in (FORM, b"", b"text/plain") else {}), None


def _values(body: Any) -> dict[str, str]:
    """Members of a JSON object that can be parameters, as texts."""
    if not isinstance(body, dict):
        return {}
    return {name: text for name, text in ((name, as_text(value)) for name, value in body.items())
            if text is not None and text not in ABSENT}


def as_text(value: Any) -> str | None:
    """A JSON value as a parameter: texts, numbers, and lists of them joined by commas; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    if isinstance(value, list):
        parts = [as_text(one) for one in value]
        return ",".join(part for part in parts if part)
    return None


def _cookie(raw: bytes) -> str:
    for part in raw.decode("latin-1").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and value.strip('"') not in ABSENT:
            return value.strip('"')
    return ""
