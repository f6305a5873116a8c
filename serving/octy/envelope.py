"""Answers that succeed, and requests of which a part did (2.2, 2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from serving.octy.errors import OctyError, entry

Headers = tuple[tuple[bytes, bytes], ...]
Failures = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and further headers."""

    status: int
    body: bytes
    headers: Headers = ()


def success(
    payload: dict[str, Any], *, status: int = 200, count: int | None = None, total: int | None = None,
    headers: Headers = (), message: str = "ok",
) -> Answer:
    """The envelope around what was found or done. ``count``: objects in it; ``total``: all matches."""
    meta: dict[str, Any] = {"request_status": "Success", "message": message}
    if count is not None:
        meta["count"] = count
    if total is not None:
        meta["total"] = total
    return Answer(status, orjson.dumps({"request_meta": meta, **payload}), headers)


def some(status: int, name: str, done: Sequence[Any], failed_name: str, failed: Failures) -> Answer:
    """What was done and what could not be; a failure of everything when nothing was done."""
    if failed and not done:
        raise OctyError(
            400, "nothing could be done", [entry(one["error_message"], **_without_message(one)) for one in failed]
        )
    return success({name: list(done), failed_name: list(failed)}, status=status, count=len(done))


def _without_message(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name != "error_message"}
