"""Query parameters of the plain routes. Unknown ones are ignored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

from serving.refusals import invalid

MAX_AMOUNT = 500
MAX_EXCLUDE = 1000
SHORT = 40  # bytes; the same few short queries come again and again


@dataclass(frozen=True, slots=True)
class ListQuery:
    """``amt`` items, none of ``exclude``."""

    amount: int
    exclude: tuple[str, ...] = ()


def list_query(raw: bytes, default_amount: int) -> ListQuery:
    """Read ``amt`` and ``exclude`` (repeated, or separated by commas) from a query string. Raises Refusal."""
    return _short_query(raw, default_amount) if len(raw) < SHORT else _read(raw, default_amount)


def _read(raw: bytes, default_amount: int) -> ListQuery:
    amount = default_amount
    exclude: list[str] = []
    for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True, errors="replace"):
        if name == "amt":
            if not (value.isascii() and value.isdigit() and len(value) < 9):
                raise invalid("amt", f"{value[:40]!r} is not a whole number", f"0 to {MAX_AMOUNT}")
            amount = checked_amount(int(value))
        elif name == "exclude":
            exclude.extend(part for part in value.split(",") if part)
    if len(exclude) > MAX_EXCLUDE:
        raise invalid("exclude", f"{len(exclude)} items", f"at most {MAX_EXCLUDE}")
    return ListQuery(amount, tuple(exclude))


@lru_cache(maxsize=1024)
def _short_query(raw: bytes, default_amount: int) -> ListQuery:
    return _read(raw, default_amount)


def checked_amount(amount: int) -> int:
    """The amount, or a refusal when it is out of range."""
    if not 0 <= amount <= MAX_AMOUNT:
        raise invalid("amt", f"{amount} is out of range", f"0 to {MAX_AMOUNT}")
    return amount
