"""Texts of the dialect (2.5): times, identifiers, minted ids."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

from serving.octy.errors import misfit

MOST, MOST_IDS = 500, 100
LONGEST_ID = 60
_UNFIT = re.compile(r"[,\"'.\x00-\x1f\x7f]")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|[+-]\d\d(:?\d\d)?))?", re.ASCII)


def rfc1123(at: datetime) -> str:
    """A naive UTC time as answers write it: ``Tue, 28 Jun 2022 10:09:15 GMT``."""
    return format_datetime(at.replace(microsecond=0, tzinfo=UTC), usegmt=True)


def minted(prefix: str) -> str:
    """A new id: the prefix and 32 lowercase hex digits."""
    return f"{prefix}{uuid4().hex}"


def moment(text: str) -> datetime | None:
    """The naive UTC time of ``YYYY-MM-DD HH:MM:SS`` and its tolerated forms, None when it is none."""
    if not _TIME.fullmatch(text):
        return None
    given = text.replace(" ", "T", 1).replace(" ", "")
    try:
        at = datetime.fromisoformat(given)
        at = at if at.tzinfo is None else at.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return at.replace(microsecond=0)


def id_fault(text: str, *, space: bool = True) -> str:
    """Why a text is no identifier of this dialect, or nothing. ``space``: spaces are allowed."""
    if not 1 <= len(text) <= LONGEST_ID:
        return f"must have 1 to {LONGEST_ID} characters"
    if _UNFIT.search(text):
        return "must hold none of , \" ' ."
    if not space and " " in text:
        return "must hold no space"
    return "" if text.strip() else "must not be blank"


def text(value: Any, field: str) -> str:
    """A string that is not blank. Raises OctyError (422)."""
    if not isinstance(value, str) or not value.strip():
        raise misfit(field, "must be a non-empty string")
    return value


def flag(value: Any, field: str) -> bool:
    """A boolean. Raises OctyError (422)."""
    if not isinstance(value, bool):
        raise misfit(field, "must be true or false")
    return value


def texts(value: Any, field: str) -> list[str]:
    """A list of non-empty strings. Raises OctyError (422)."""
    if not isinstance(value, list):
        raise misfit(field, "must be a list of strings")
    return [text(one, f"{field}[{at}]") for at, one in enumerate(value)]


def objects(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The 1 to 500 objects of a request. Raises OctyError (422)."""
    found = body.get(name)
    if not isinstance(found, list) or not found:
        raise misfit(name, "must be a list of objects")
    if len(found) > MOST:
        raise misfit(name, f"has {len(found)} objects, at most {MOST} are taken")
    for at, one in enumerate(found):
        if not isinstance(one, dict):
            raise misfit(f"{name}[{at}]", "must be an object")
    return found


def some_ids(body: dict[str, Any], name: str) -> list[str]:
    """The 1 to 100 ids of a request that deletes, each once. Raises OctyError (422)."""
    found = list(dict.fromkeys(texts(body.get(name), name)))
    if not 1 <= len(found) <= MOST_IDS:
        raise misfit(name, f"must hold 1 to {MOST_IDS} ids")
    return found


def canonical_number(value: int | float) -> str:
    """Shortest decimal form: ``2.0`` is ``2``."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)
