"""Pages (§5): by number, by cursor, and of a ranking. Cursors are opaque, url-safe text."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from serving.crossing_minds.errors import WrongData, wrong_parameter
from serving.crossing_minds.fields import integer

LIST_AMOUNT = (1, 500, 300)  # least, most, default
RANKING_AMOUNT = (0, 64, 10)
NUMBERED_AMOUNT = (1, 64, 64)
TASK_AMOUNT = (1, 64, 50)
LAST_PAGE = 1 << 31
_CHECK = 6  # bytes of a list cursor's checksum
_DIGEST = 12  # bytes of a ranking's digest


@dataclass(frozen=True, slots=True)
class NumberedPage:
    """Page ``page`` (from 1) of ``amt`` rows each."""

    page: int
    amt: int

    @property
    def offset(self) -> int:
        """Rows before it."""
        return (self.page - 1) * self.amt

    def answer(self, *, more: bool) -> dict[str, Any]:
        """Members of the answer beside the rows. ``more``: whether further rows follow."""
        return {"has_next": more, "next_page": self.page + 1}


def numbered(query: Mapping[str, str], amounts: tuple[int, int, int] = NUMBERED_AMOUNT) -> NumberedPage:
    """The page that a query asks for."""
    low, high, default = amounts
    page = integer(query.get("page"), "page", 1, LAST_PAGE, 1)
    return NumberedPage(page, integer(query.get("amt"), "amt", low, high, default))


def write_cursor(tag: str, key: Any) -> str:
    """A cursor that stands for ``key`` (JSON values) in the list ``tag``."""
    said = orjson.dumps(key)
    return _encoded(_checksum(tag, said) + said)


def read_cursor(text: Any, tag: str) -> Any:
    """The key of a cursor of that list; None when none is given. Raises WrongData WRONG_PARAMETER for all but those
    that ``write_cursor`` made for this ``tag``.
    """
    if text is None or text == "":
        return None
    raw = _decoded(text)
    said = raw[_CHECK:]
    if _checksum(tag, said) != raw[:_CHECK]:
        raise _malformed()
    try:
        return orjson.loads(said)
    except orjson.JSONDecodeError:
        raise _malformed() from None


def _checksum(tag: str, said: bytes) -> bytes:
    return hashlib.sha256(tag.encode() + b"\0" + said).digest()[:_CHECK]


def ranking_digest(run_id: str, request: Mapping[str, Any]) -> bytes:
    """What a ranking's cursor is good for: one run and one request. ``request``: everything but cursor and amt."""
    said = {name: value for name, value in request.items() if name not in ("cursor", "amt")}
    text = orjson.dumps([run_id, said], option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return hashlib.sha256(text).digest()[:_DIGEST]


def write_ranking_cursor(offset: int, digest: bytes) -> str:
    """The cursor of the page that begins at ``offset``."""
    return _encoded(offset.to_bytes(4, "big") + digest)


def read_ranking_cursor(text: Any, digest: bytes) -> int:
    """The offset of a page, 0 without a cursor. Raises WrongData WRONG_PARAMETER for another run's or request's."""
    if text is None or text == "":
        return 0
    raw = _decoded(text)
    if len(raw) != 4 + _DIGEST:
        raise _malformed()
    if raw[4:] != digest:
        raise wrong_parameter("cursor", "belongs to another request or to an earlier run; begin without it")
    return int.from_bytes(raw[:4], "big")


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(text: Any) -> bytes:
    if not isinstance(text, str):
        raise _malformed()
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise _malformed() from None


def _malformed() -> WrongData:
    return wrong_parameter("cursor", "is none that this list gave out")
