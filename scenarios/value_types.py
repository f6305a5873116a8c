"""Value types of properties: which words there are, which values fit, and how literals of filters take a type."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from typing import Any

from scenarios.spec import Problem, PropertyType, Scalar

LARGEST = {"int": "int64", "uint": "uint64", "float": "float64", "bytes": "bytes64", "unicode": "unicode255"}
"""What the bare words mean."""

VALUE_TYPES: frozenset[str] = frozenset(
    [f"{sign}{bits}" for sign in ("int", "uint") for bits in (8, 16, 32, 64)]
    + ["float32", "float64", "text", "image_url", "bool"]
    + [f"bytes{size}" for size in range(1, 65)]
    + [f"unicode{size}" for size in range(1, 256)]
)
FLOAT32_MAX = 3.4028234663852886e38
SMALLEST_INT, LARGEST_INT = -(2**63), 2**64 - 1
TRUTHS = {"true": True, "1": True, "false": False, "0": False}

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_TOKEN = re.compile(r"\w+")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_MAX_DIGITS = 400


def parse_type(value_type: Any, repeated: bool = False, where: str = "value_type") -> PropertyType | Problem:
    """The type that a word such as ``unicode64`` names; bare words mean the largest."""
    if isinstance(value_type, str):
        word = LARGEST.get(value_type, value_type)
        if word in VALUE_TYPES:
            return PropertyType(word, repeated)
    hint = "int8..int64, uint8..uint64, float32, float64, bytes1..64, unicode1..255, text, image_url, bool"
    return Problem("wrong_data_type", where, f"{value_type!r} is not a value type", hint)


def property_name(name: Any, where: str = "property_name") -> str | Problem:
    """A property's name as declared (letter case as sent); the identity is its lower case."""
    if isinstance(name, str) and _NAME.fullmatch(name) and name.lower() not in ("item_id", "user_id"):
        return name
    hint = "1 to 64 of letters, digits, dot, underscore and dash; item_id and user_id are reserved"
    return Problem("wrong_parameter", where, f"{name!r} cannot be the name of a property", hint, str(name))


def tokens(text: str) -> list[str]:
    """Words of a full text, for ``ftsearch``: case-folded runs of letters, digits and underscore, in order."""
    return _TOKEN.findall(text.casefold())


def fit(value: Any, declared: PropertyType, where: str = "$") -> Any | Problem:
    """A value of data as it is kept: None stays None (missing), a list for a repeated type, else a scalar.

    Whole numbers written with a fraction part (``3.0``) fit integers. Nothing is truncated or guessed from text:
    what does not fit is a Problem ``wrong_data_type``.
    """
    if value is None:
        return None
    if not declared.repeated:
        return _fit_scalar(value, declared.value_type, where)
    if not isinstance(value, list | tuple):
        return _unfit(value, f"a list of {declared.value_type}", where)
    kept = [_fit_scalar(one, declared.value_type, f"{where}[{place}]") for place, one in enumerate(value)]
    return next((one for one in kept if isinstance(one, Problem)), kept)


def _fit_scalar(value: Any, value_type: str, where: str) -> Scalar | Problem:
    kind = value_type.rstrip("0123456789")
    size = int(value_type[len(kind):] or 0)
    kept = _FITS[kind](value, size)
    return _unfit(value, value_type, where) if kept is None else kept


def _unfit(value: Any, wanted: str, where: str) -> Problem:
    shown = repr(value)
    return Problem(
        "wrong_data_type", where, f"{shown[:80]}{'...' if len(shown) > 80 else ''} is not a value of type {wanted}"
    )


def whole(value: Any) -> int | None:
    """A JSON number that is a whole one, as an int; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def number(value: Any) -> int | float | None:
    """A finite JSON number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return value if SMALLEST_INT <= value <= LARGEST_INT else None
    return value if math.isfinite(value) else None


def sound_text(value: Any) -> str | None:
    """A string that UTF-8 can write; None for anything else (half of a surrogate pair)."""
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value


def _fit_int(value: Any, bits: int) -> int | None:
    kept = whole(value)
    return kept if kept is not None and -(2 ** (bits - 1)) <= kept < 2 ** (bits - 1) else None


def _fit_uint(value: Any, bits: int) -> int | None:
    kept = whole(value)
    return kept if kept is not None and 0 <= kept < 2**bits else None


def _fit_float(value: Any, bits: int) -> float | None:
    kept = number(value)
    return None if kept is None or (bits == 32 and abs(kept) > FLOAT32_MAX) else float(kept)


def _fit_unicode(value: Any, size: int) -> str | None:
    kept = sound_text(value)
    return kept if kept is not None and (not size or len(kept) <= size) else None


def _fit_bytes(value: Any, size: int) -> str | None:
    decoded = from_base64url(value)
    return value if decoded is not None and len(decoded) <= size else None


def from_base64url(value: Any) -> bytes | None:
    """Bytes of base64url text without padding; None for anything else."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]*", value) or len(value) % 4 == 1:
        return None
    try:
        decoded = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return None
    return decoded


_FITS: dict[str, Callable[[Any, int], Scalar | None]] = {
    "int": _fit_int, "uint": _fit_uint, "float": _fit_float, "unicode": _fit_unicode, "text": _fit_unicode,
    "image_url": _fit_unicode, "bytes": _fit_bytes,
    "bool": lambda value, _size: value if isinstance(value, bool) else None,
}


def literal(value: Any, declared: PropertyType, *, ordering: bool = False) -> Scalar | None:
    """A filter's literal in the family of a declared type; None where it cannot be one.

    Numeric strings are coerced. ``ordering``: integers may be compared with a fraction. Whole numbers of an integer
    property come back as int, numbers of a float property as float. A literal may lie outside of the declared size
    (it matches nothing), but not outside of 64 bits.
    """
    family = declared.family
    if family == "int":
        return _whole_literal(value, ordering)
    if family == "float":
        found = number_literal(value)
        return None if found is None else float(found)
    if family == "bool":
        return bool_literal(value)
    if declared.value_type.startswith("bytes") and from_base64url(value) is None:
        return None
    return sound_text(value)


def number_literal(value: Any) -> int | float | None:
    """A number, or text that is a decimal one; None for anything else and for what is not finite."""
    if isinstance(value, str):
        if len(value) > _MAX_DIGITS or not _NUMBER.fullmatch(value):
            return None
        value = int(value) if _WHOLE.fullmatch(value) else float(value)
    return number(value)


def _whole_literal(value: Any, ordering: bool) -> int | float | None:
    found = number_literal(value)
    if isinstance(found, float) and found.is_integer():
        found = number(int(found))
    return found if ordering or isinstance(found, int) else None


def bool_literal(value: Any) -> bool | None:
    """A truth: true or false, 1 or 0, also as text of any letter case; None for anything else."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return TRUTHS.get(value.lower())
    return bool(value) if isinstance(value, int) and value in (0, 1) else None
