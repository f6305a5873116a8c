"""Queries of addresses: many requests come with the same one, which is read once."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from starlette.datastructures import QueryParams

if TYPE_CHECKING:
    from scenarios.spec import Rules

LISTS = ("filters", "reranking")
KEPT = 4096
LONGEST_KEPT = 1000  # bytes


class Query(QueryParams):
    """A multi-dict of text. Nobody may change what is remembered here: it is shared."""

    @cached_property
    def given(self) -> dict[str, Any]:
        """Inputs of a recommendation by name; those that are lists are lists of their repeated keys."""
        found: dict[str, Any] = dict(self)
        return {name: self.getlist(name) if name in LISTS else value for name, value in found.items()}

    @cached_property
    def rules(self) -> dict[tuple[bool, bool], Rules]:
        """Rules that were read from it, by whether the route knows an exclusion of the history, and tables."""
        return {}


def read_query(raw: bytes) -> Query:
    """The query of an address."""
    return _kept(raw) if len(raw) <= LONGEST_KEPT else Query(raw)


@lru_cache(KEPT)
def _kept(raw: bytes) -> Query:
    return Query(raw)
