"""Paging by the cursor header, and look-up by ids (2.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from serving.octy.call import Call
from serving.octy.envelope import Answer, success
from serving.octy.errors import bad_request
from serving.octy.formats import MOST_IDS

__all__ = ["MOST_IDS", "PAGE", "asked_ids", "listed", "offset_of", "page_of", "paged"]

PAGE = 100
NOTHING = "none found"
_OFFSET = re.compile(rb"[0-9]{1,18}")


def asked_ids(call: Call) -> list[str] | None:
    """The ids of a query, as asked, each once; None when none were asked for. Raises OctyError for too many."""
    given = [*call.query.getlist("ids"), *call.query.getlist("id")]
    if not given:
        return None
    found = [one.strip() for text in given for one in text.split(",")]
    ids = list(dict.fromkeys(one for one in found if one))
    if not ids:
        raise bad_request(NOTHING, field="ids")
    if len(ids) > MOST_IDS:
        raise bad_request(f"{len(ids)} ids were asked for, at most {MOST_IDS} are answered", field="ids")
    return ids


def offset_of(call: Call) -> int:
    """The offset in the cursor header. Raises OctyError."""
    given = call.headers.get(b"cursor", b"").strip()
    if not _OFFSET.fullmatch(given):
        raise bad_request("the header `cursor` must be a whole number from 0 on", field="cursor")
    return int(given)


def listed(name: str, found: Sequence[Any]) -> Answer:
    """What was found of the ids asked for."""
    if not found:
        raise bad_request(NOTHING)
    return success({name: list(found)}, count=len(found), total=len(found))


def paged(call: Call, name: str, ordered: Sequence[Any], shown: Callable[[Any], Any]) -> Answer:
    """One page of everything; ``shown`` makes an object of each."""
    offset = offset_of(call)
    return page_of(name, [shown(one) for one in ordered[offset : offset + PAGE]], offset, len(ordered))


def page_of(name: str, page: Sequence[Any], offset: int, total: int) -> Answer:
    """The page at an offset of all that there are. Raises OctyError where nothing is on it."""
    if not page:
        raise bad_request(NOTHING)
    at = str(min(offset + len(page), total)).encode()
    return success({name: list(page)}, count=len(page), total=total, headers=((b"cursor", at),))
