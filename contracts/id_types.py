"""Types of the ids that a program of its own gives to users, items and sessions: what fits, and one text for each id.

Everything inside works with that canonical text; answers turn it back into what the type is in JSON.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

_WORD = re.compile(r"(u?int)(8|16|32|64)|(uuid)|(hex|urlsafe|bytes)([1-9][0-9]?)")
_DECIMAL = re.compile(r"-?[0-9]{1,20}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_HEX = re.compile(r"[0-9A-Fa-f]+")
_URLSAFE = re.compile(r"[0-9A-Za-z._-]+")
_BASE64 = re.compile(r"[0-9A-Za-z_-]+")
_EXACT = 1 << 53  # beyond it a float no longer tells one integer from the next
LARGEST = 64

WORDS = "int8..int64, uint8..uint64, uuid, hex1..hex64, urlsafe1..urlsafe64, bytes1..bytes64"


@dataclass(frozen=True, slots=True)
class IdType:
    """One type: ``kind`` is int, uint, uuid, hex, urlsafe or bytes; ``size`` its bits, most characters or most bytes
    (uuid: 0).
    """

    word: str
    kind: str
    size: int

    @property
    def numeric(self) -> bool:
        """Whether answers write these ids as JSON numbers."""
        return self.kind in ("int", "uint")

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest id of a numeric type."""
        return (0, (1 << self.size) - 1) if self.kind == "uint" else (-(1 << self.size - 1), (1 << self.size - 1) - 1)

    def canonical(self, value: Any) -> str | None:
        """The one text of an id given as a path segment, a JSON string or a JSON number; None when it does not fit."""
        if self.numeric:
            return self._number(value)
        if not isinstance(value, str) or not self._fits(value):
            return None
        return value.lower() if self.kind == "uuid" else value.upper() if self.kind == "hex" else value

    def answer(self, text: str) -> int | str:
        """What an answer writes for a canonical text."""
        return int(text) if self.numeric else text

    def _fits(self, value: str) -> bool:
        if self.kind == "bytes":
            return _is_base64(value, self.size)
        if self.kind == "uuid":
            return _UUID.fullmatch(value) is not None
        letters = _HEX if self.kind == "hex" else _URLSAFE
        return len(value) <= self.size and letters.fullmatch(value) is not None

    def _number(self, value: Any) -> str | None:
        if isinstance(value, str):
            number = int(value) if _DECIMAL.fullmatch(value) else None
        elif isinstance(value, float):
            number = int(value) if value.is_integer() and abs(value) < _EXACT else None
        else:
            number = value if isinstance(value, int) and not isinstance(value, bool) else None
        low, high = self.bounds
        return str(number) if number is not None and low <= number <= high else None


def _is_base64(value: str, size: int) -> bool:
    """Whether it is base64url without padding of 1 to ``size`` bytes, and the only spelling of these bytes."""
    if len(value) > 2 * size or not _BASE64.fullmatch(value):
        return False
    try:
        raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except binascii.Error:
        return False
    return 1 <= len(raw) <= size and base64.urlsafe_b64encode(raw).decode().rstrip("=") == value


@cache
def id_type(word: str) -> IdType:
    """The type of a word like ``uint32`` or ``urlsafe64``. Raises ValueError for a word that is none."""
    found = _WORD.fullmatch(word)
    if found is None or int(found[5] or 1) > LARGEST:
        raise ValueError(f"{word!r} is no type of ids; there are {WORDS}")
    return IdType(word, found[1] or found[3] or found[4], int(found[2] or found[5] or 0))
