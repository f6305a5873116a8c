"""Failures as clients know them (3.4): JSON with a top-level text ``err``, on every status."""

from __future__ import annotations

import logging

import orjson

from contracts.errors import DefinitionError, NightloomError, NotFound, StorageError
from decisions.codes import BadCall
from serving.refusals import Refusal

log = logging.getLogger("nightloom.serving")

Headers = tuple[tuple[bytes, bytes], ...]
HEADERS: dict[int, Headers] = {
    503: ((b"retry-after", b"1"),),
}


class ApiError(Exception):
    """Ends a request with a status and what is wrong."""

    def __init__(self, status: int, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = (*HEADERS.get(status, ()), *headers)

    def body(self) -> bytes:
        """The JSON object of a failure."""
        return orjson.dumps({"err": self.message})


def bad_request(message: str) -> ApiError:
    """A code, number or parameter is bad."""
    return ApiError(400, message)


def not_found(message: str) -> ApiError:
    """An unknown route, report or admin object."""
    return ApiError(404, message)


def as_api_error(error: Exception, doing: str) -> ApiError:
    """Any error as one of these. What nobody foresaw is logged with what was being done, which has no query string."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, BadCall | Refusal):
        return ApiError(error.status, error.message)
    if isinstance(error, StorageError):
        log.warning("%s: %s", doing, error)
        return ApiError(503, "the journal cannot be used now; nothing was stored")
    if isinstance(error, NightloomError):
        return _ours(error)
    log.error("%s failed", doing, exc_info=error)
    return ApiError(500, "the endpoint failed to answer")


def _ours(error: NightloomError) -> ApiError:
    if isinstance(error, DefinitionError):
        return bad_request("; ".join(str(problem) for problem in error.problems))
    return not_found(error.message) if isinstance(error, NotFound) else bad_request(error.message)
