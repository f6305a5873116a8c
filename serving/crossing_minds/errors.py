"""Errors as clients know them (§4): one small tree, one shape; foreign errors become ours at one border."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson

from contracts.errors import StorageError
from serving.refusals import Refusal

log = logging.getLogger("nightloom.serving")

LONGEST = 200  # characters of a client's own text that an answer repeats

Headers = tuple[tuple[bytes, bytes], ...]

HEADERS: dict[int, Headers] = {
    401: ((b"www-authenticate", b"Bearer"),),
}


class ApiError(Exception):
    """Ends a request. ``fields`` are the members of ``error_data``; the name of the class is the ``error_name``."""

    code: ClassVar[int]
    http: ClassVar[int]

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.status = self.http
        self.fields = fields

    def document(self) -> dict[str, Any]:
        """The answer's JSON object."""
        name = type(self).__name__
        return {"error_code": self.code, "error_name": name, "message": self.message, "error_data": self.fields}

    def body(self) -> bytes:
        """The answer's bytes."""
        return orjson.dumps(self.document())

    @property
    def headers(self) -> Headers:
        """Headers that go with the status."""
        return HEADERS.get(self.status, ())


class ServerError(ApiError):
    """Our own fault; the log says which."""

    code, http = 0, 500

    def __init__(self) -> None:
        super().__init__("The server failed to answer")


class ServerUnavailable(ApiError):
    """Not now: ``name`` is DATABASE_NOT_READY, WRITING_ON_READONLY_MODE or LLM_PROVIDER_NOT_CONFIGURED."""

    code, http = 1, 503

    def __init__(self, name: str, error: str) -> None:
        super().__init__(error, name=name, error=error)


class TooManyRequests(ApiError):
    """The configured rate is exceeded; ``retry_after`` in seconds."""

    code, http = 2, 429

    def __init__(self, retry_after: int) -> None:
        super().__init__("The rate limit is exceeded", name="RATE_LIMIT_OVERFLOW", retry_after=retry_after)

    @property
    def headers(self) -> Headers:
        return ((b"retry-after", b"%d" % self.fields["retry_after"]),)


class AuthError(ApiError):
    """``name`` is INCORRECT_PASSWORD or INCORRECT_REFRESH_TOKEN."""

    code, http = 21, 401

    def __init__(self, name: str, error: str) -> None:
        super().__init__(f"Cannot perform authentication: {error}", name=name, error=error)


class JwtTokenExpired(ApiError):
    """The token is missing, invalid or expired; clients log in again when they see this."""

    code, http = 22, 401

    def __init__(self) -> None:
        super().__init__("The JWT token has expired", name="INCORRECT_JWT_TOKEN")


class RefreshTokenExpired(ApiError):
    """The refresh token was good once."""

    code, http = 28, 401

    def __init__(self) -> None:
        super().__init__("The refresh token has expired", name="REFRESH_TOKEN_EXPIRED")


class WrongData(ApiError):
    """What was sent is wrong. ``query`` tells of the fields at fault, each with its messages."""

    code, http = 40, 400

    def __init__(
        self, name: str, error: str, query: Mapping[str, Sequence[str]] | None = None, *, status: int = 400
    ) -> None:
        fields: dict[str, Any] = {"name": name, "error": error}
        if query is not None:
            fields["query"] = query
        super().__init__(error, **fields)
        self.status = status


class DuplicatedError(ApiError):
    """Something of this ``type`` and ``key`` is there already, or twice in the request."""

    code, http = 42, 400

    def __init__(self, name: str, type: str, key: Any) -> None:
        super().__init__(f"The {type} {_shown(key)} is duplicated", name=name, type=type, key=key)


class ForbiddenError(ApiError):
    """``name`` is INCORRECT_ROLE, INCORRECT_FRONTEND_USER_ID or INCORRECT_FRONTEND_SESSION_ID."""

    code, http = 50, 403

    def __init__(self, name: str, error: str) -> None:
        super().__init__(f"Do not have enough permissions: {error}", name=name, error=error)


class NotFoundError(ApiError):
    """Nothing of this ``type`` has this ``key`` (None when no key applies)."""

    code, http = 60, 404

    def __init__(self, name: str, type: str, key: Any, error: str = "") -> None:
        fields = {"name": name, "type": type, "key": key, **({"error": error} if error else {})}
        said = "was not found" if key is None else f"{_shown(key)} does not exist"
        super().__init__(error or f"The {type} {said}", **fields)


class MethodNotAllowed(ApiError):
    """The path exists, the verb does not."""

    code, http = 70, 405

    def __init__(self, method: str) -> None:
        super().__init__(f"Method {method!r} not allowed", name="HTTP_METHOD_NOT_ALLOWED", method=method)


def wrong_type(field: str, message: str) -> WrongData:
    """A value of the wrong type or form: 400 WRONG_DATA_TYPE."""
    return _wrong("WRONG_DATA_TYPE", field, message)


def wrong_parameter(field: str, message: str) -> WrongData:
    """A value out of range, or one that does not go with the others: 400 WRONG_PARAMETER."""
    return _wrong("WRONG_PARAMETER", field, message)


def wrong_op(field: str, message: str) -> WrongData:
    """An operator used where it cannot be: 400 WRONG_OP_USE."""
    return _wrong("WRONG_OP_USE", field, message)


def wrong_id(noun: str, field: str, given: Any, word: str) -> WrongData:
    """An id that its type does not take: 400 INCORRECT_{USER,ITEM,SESSION}_ID_TYPE. ``noun``: user, item, session."""
    return _wrong(f"INCORRECT_{noun.upper()}_ID_TYPE", field, f"{_shown(given)} is no {noun} id of type {word}")


def _wrong(name: str, field: str, message: str) -> WrongData:
    return WrongData(name, f"{field}: {message}", {field: [message]})


def not_ready() -> ServerUnavailable:
    """No run is published yet."""
    return ServerUnavailable("DATABASE_NOT_READY", "No run of this database is published yet")


def shortened(text: str) -> str:
    """A client's own text as an answer may repeat it."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _shown(key: Any) -> str:
    return shortened(str(key))


def as_api_error(error: Exception, what: str) -> ApiError:
    """The one border where every other error becomes one that clients know. ``what`` was asked goes to the log."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Refusal) and error.status == 503:
        return ServerUnavailable("WRITING_ON_READONLY_MODE", error.message)
    if isinstance(error, StorageError):
        log.warning("%s: %s", what, error)
        return ServerUnavailable("WRITING_ON_READONLY_MODE", "The journal cannot be used now; nothing was stored")
    if isinstance(error, RecursionError):
        return WrongData("WRONG_DATA_TYPE", "the body is nested too deeply")
    log.error("%s failed", what, exc_info=error)
    return ServerError()
