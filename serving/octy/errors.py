"""One tree of errors, and the one body that each of them becomes (2.2). Clients read the code in it, not the status."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import orjson

from contracts.errors import NightloomError, StorageError
from serving.refusals import Refusal
from store.account_bodies import BodyRefused

log = logging.getLogger("nightloom.serving")

HELP = ""
NOT_YET = "not available in this version"
NOT_OFFERED = "not offered by nightloom"
MESSAGES = {
    400: "Bad request", 401: "Unauthorized", 404: "Not found", 405: "Method not allowed", 413: "Payload too large",
    422: "Unprocessable entity", 429: "Too many requests", 500: "Internal server error", 503: "Service unavailable",
}

Entry = dict[str, Any]
Headers = tuple[tuple[bytes, bytes], ...]


class OctyError(Exception):
    """Ends a request. ``entries``: what is wrong, at least one; ``headers`` go with the answer."""

    def __init__(self, status: int, reason: str, entries: Sequence[Entry] = (), headers: Headers = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.entries = list(entries) or [entry(reason)]
        self.headers = headers

    def body(self) -> bytes:
        """The envelope of a failure; its code is the status."""
        told = [{"error_message": self.reason, "extended_help": HELP, **one} for one in self.entries]
        return orjson.dumps({
            "request_meta": {"request_status": "Failure", "message": MESSAGES.get(self.status, "Error")},
            "error": {"code": self.status, "reason": self.reason, "errors": told},
        })


def entry(message: str, **more: Any) -> Entry:
    """One thing that is wrong. ``more``: an identifier, ``index`` or ``field``."""
    return {"error_message": message, "extended_help": HELP, **more}


def bad_request(message: str, **more: Any) -> OctyError:
    """A parameter is bad, or nothing was found."""
    return OctyError(400, message, [entry(message, **more)])


def misfit(field: str, message: str) -> OctyError:
    """The body is not what it must be; ``field`` is its JSON path."""
    return OctyError(422, "the body is not what it must be", [entry(f"{field} {message}", field=field)])


def refused_body(error: BodyRefused) -> OctyError:
    """A configuration that is not taken."""
    entries = [entry(f"{one.field} {one.message}", field=one.field) for one in error.faults]
    if any(one.schema for one in error.faults):
        return OctyError(422, "the body is not what it must be", entries)
    return OctyError(400, "the configuration is not taken", entries)


def unauthorized() -> OctyError:
    """The keys are unknown, revoked or malformed."""
    return OctyError(401, "the keys are unknown, revoked or malformed")


def as_octy_error(error: Exception, doing: str) -> OctyError:
    """Any error as one of these; what nobody foresaw is logged with what was being done."""
    if isinstance(error, OctyError):
        return error
    if isinstance(error, Refusal):
        return OctyError(error.status, error.message, headers=error.headers)
    if isinstance(error, BodyRefused):
        return refused_body(error)
    if isinstance(error, StorageError):
        log.warning("%s: %s", doing, error)
        return OctyError(503, "the journal cannot be used now", headers=((b"retry-after", b"1"),))
    if isinstance(error, NightloomError):
        return OctyError(400, error.message)
    log.error("%s failed", doing, exc_info=error)
    return OctyError(500, "the endpoint failed to answer")
