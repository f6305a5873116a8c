"""What the endpoint says when it cannot answer: one shape, a stable code, and what to try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson


class Refusal(Exception):
    """Ends a request with an HTTP status and an explanation. ``field`` names the parameter or JSON path at fault."""

    def __init__(
        self, status: int, code: str, message: str, hint: str = "", field: str = "",
        details: Sequence[dict[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.field = field
        self.details = tuple(details)

    def body(self, stamp: bytes) -> bytes:
        """The JSON answer; ``stamp`` says which run is served."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "hint": self.hint}
        error["field"] = self.field or None
        if self.details:
            error["details"] = self.details
        return b'{"error":' + orjson.dumps(error) + b"," + stamp + b"}"


    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Headers that go with the status, beside those of every answer."""
        return HEADERS.get(self.status, ())


HEADERS: dict[int, tuple[tuple[bytes, bytes], ...]] = {
    401: ((b"www-authenticate", b"Bearer"),),
    408: ((b"connection", b"close"),),
    503: ((b"retry-after", b"1"),),
}


def invalid(field: str, message: str, hint: str = "") -> Refusal:
    """A parameter or a member of the body is not what it must be."""
    return Refusal(422, "invalid", f"{field}: {message}", hint, field)


def not_found(what: str, name: str) -> Refusal:
    """A profile or item does not exist in the run that is served."""
    message = f"there is no {what} {name[:200]!r} in the run that is served"
    return Refusal(404, "not_found", message, "check the id; new ones appear with the next run", f"{what}_id")


def not_ready() -> Refusal:
    """No run is published, or none that could be opened."""
    return Refusal(503, "not_ready", "no run is published yet", "run `nightloom run`; /ready tells when there is one")
