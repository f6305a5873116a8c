"""A page by cursor of rows that come in the order of their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.pages import read_cursor, write_cursor

Rows = Callable[[list[Any] | None], Iterator[tuple[list[Any], dict[str, Any]]]]


def page_of(call: Call, name: str, rows: Rows, amount: int, tag: str = "", given: Any = None) -> Answer:
    """The answer whose member ``name`` holds ``amount`` rows after the cursor.

    ``rows`` gives keys and rows beyond a key (None: from the start). ``tag``: what the cursor is good for, when not
    every list of that name; ``given``: the cursor, when the query does not hold it.
    """
    tag = f"{name} {tag}"
    after = read_cursor(call.query.get("cursor") if given is None else given, tag)
    found = list(islice(rows(after), amount + 1))
    more = len(found) > amount
    page = found[:amount]
    return {
        name: [row for _, row in page], "has_next": more,
        "next_cursor": write_cursor(tag, page[-1][0]) if more else "",
    }
