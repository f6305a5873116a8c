"""Values of queries and bodies, read with their bounds (§5). What is out of range is WRONG_PARAMETER, what is of
another type WRONG_DATA_TYPE. ``value`` None means: not given.
"""

from __future__ import annotations

import math
import re
import struct
from datetime import UTC, datetime
from typing import Any

from serving.crossing_minds.errors import WrongData, shortened, wrong_parameter, wrong_type

EARLIEST, LATEST = -1.5e11, 3.5e9
LEAST_RATING, MOST_RATING = 1.0, 10.0
FLAGS = {"true": True, "1": True, "false": False, "0": False}

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


def integer(value: Any, field: str, low: int, high: int, default: int) -> int:
    """A whole number in bounds, from a query's text or a body's number."""
    if value is None or value == "":
        return default
    number = _whole(value)
    if number is None:
        raise wrong_parameter(field, f"must be a whole number, not {_shown(value)}")
    if not low <= number <= high:
        raise wrong_parameter(field, f"must lie in {low}..{high}, not {number}")
    return number


def _whole(value: Any) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        return int(text) if _INTEGER.fullmatch(text) else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: Any, field: str, low: float, high: float, default: float) -> float:
    """A finite number in bounds."""
    if value is None or value == "":
        return default
    given = _finite(value)
    if given is None:
        raise wrong_type(field, f"must be a number, not {_shown(value)}")
    if not low <= given <= high:
        raise wrong_parameter(field, f"must lie in {low:g}..{high:g}, not {given:g}")
    return given


def flag(value: Any, field: str, default: bool = False) -> bool:
    """A boolean: JSON's own, or one of true, false, 1, 0 in any letter case."""
    if value is None or value == "":
        return default
    if isinstance(value, bool):
        return value
    found = FLAGS.get(str(value).lower()) if isinstance(value, str | int) else None
    if found is None:
        raise wrong_parameter(field, f"must be true or false, not {_shown(value)}")
    return found


def text(value: Any, field: str, default: str | None = None, *, least: int = 0, most: int = 1 << 20) -> str:
    """A string of so many characters. ``default`` None: it is required."""
    if value is None:
        if default is None:
            raise wrong_type(field, "This field is required.")
        return default
    if not isinstance(value, str):
        raise wrong_type(field, f"must be a string, not {_shown(value)}")
    if not least <= len(value) <= most:
        raise wrong_parameter(field, f"must have {least} to {most} characters, not {len(value)}")
    return value


def objects(body: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """A required list of objects."""
    rows = body.get(field)
    if rows is None:
        raise wrong_type(field, "This field is required.")
    if not isinstance(rows, list):
        raise wrong_type(field, f"must be a list, not {_shown(rows)}")
    for at, row in enumerate(rows):
        if type(row) is not dict:
            raise wrong_type(f"{field}[{at}]", f"must be an object, not {_shown(row)}")
    return rows


def an_object(value: Any, field: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object. ``default`` None: it is required."""
    if value is None and default is not None:
        return default
    if value is None:
        raise wrong_type(field, "This field is required.")
    if not isinstance(value, dict):
        raise wrong_type(field, f"must be an object, not {_shown(value)}")
    return value


def texts(value: Any, field: str) -> list[str]:
    """A list of strings; not given: an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong_type(field, f"must be a list, not {_shown(value)}")
    for at, part in enumerate(value):
        if not isinstance(part, str):
            raise wrong_type(f"{field}[{at}]", f"must be a string, not {_shown(part)}")
    return value


def timestamp(value: Any, field: str, now: float) -> float:
    """Unix seconds: a number, a numeric string, or an ISO 8601 string (without an offset: UTC). Not given: ``now``."""
    if value is None:
        return now
    seconds = _finite(value)
    if seconds is None and isinstance(value, str):
        seconds = _moment(value)
    if seconds is None:
        raise wrong_type(field, f"must be a time in unix seconds or ISO 8601, not {_shown(value)}")
    if not EARLIEST <= seconds <= LATEST:
        raise wrong_parameter(field, f"must lie in {EARLIEST:g}..{LATEST:g}, not {seconds:g}")
    return seconds


def rating(value: Any, field: str) -> float:
    """A rating: float32 in 1..10."""
    given = None if isinstance(value, str) else _finite(value)
    if given is None:
        raise _missing_or(value, field, f"must be a number, not {_shown(value)}")
    if not LEAST_RATING <= given <= MOST_RATING:
        raise wrong_parameter(field, f"must lie in 1..10, not {given:g}")
    single: float = struct.unpack("f", struct.pack("f", given))[0]
    return single


def _missing_or(value: Any, field: str, message: str) -> WrongData:
    return wrong_type(field, "This field is required." if value is None else message)


def _finite(value: Any) -> float | None:
    """A JSON number or a numeric string as a finite float, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or value == "":
        return None
    if isinstance(value, str) and "_" in value:
        return None  # Python would take it
    try:
        given = float(value)
    except (ValueError, OverflowError):
        return None
    return given if math.isfinite(given) else None


def _moment(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _shown(value: Any) -> str:
    return shortened(repr(value))
