"""The route table's row, and how a path finds its row: with and without ``v1``, with and without the last slash, under
its older names, and never by a redirect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote_to_bytes

from serving.crossing_minds.call import Handler
from store.control import AccountRole

LETTERS: dict[str, AccountRole] = {
    "R": "root", "M": "manager", "B": "backend", "F": "frontend", "V": "demo_viewer",
}
EVERYBODY = "RMBFV"

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    ``path``: segments and ``{names}``, ending in a slash; ``user_id``, ``item_id`` and ``session_id`` in it are read as
    ids. ``roles``: letters of R, M, B, F, V; empty: open to everybody. ``mark``: M1 or M2. ``query``: JSON Schema of
    each parameter; a list's is an array. ``body`` and ``answer``: JSON Schema of the objects; no ``answer``: 204.
    ``database``: needs a login that named one. ``ready``: needs a published run. ``beacon``: the token comes in the
    body, which may be text. ``errors``: further statuses than 400, 401, 403, 404 that it answers.
    """

    verb: str
    path: str
    roles: str
    handler: Handler
    summary: str
    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    answer: Schema | None = None
    mark: str = "M1"
    database: bool = True
    ready: bool = False
    beacon: bool = False
    errors: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What the path names, in order."""
        return tuple(part[1:-1] for part in segments(self.path) if part.startswith("{"))

    def allows(self, role: AccountRole) -> bool:
        """Whether a role may use it."""
        return any(LETTERS[letter] == role for letter in self.roles)


def segments(path: str) -> list[str]:
    """Parts of a path between its slashes; one slash at either end does not count."""
    inner = path.removeprefix("/").removesuffix("/")
    return inner.split("/") if inner else []


# A path, and the older one that leads to the same routes.
ALIASES = {
    "items-bulk/properties/": "items-bulk/",
    "items-bulk/properties/list/": "items-bulk/list/",
    "items/{item_id}/properties/": "items/{item_id}/",
    "users-bulk/properties/": "users-bulk/",
    "users-bulk/properties/list/": "users-bulk/list/",
    "users/{user_id}/properties/": "users/{user_id}/",
}
RAW = "raw-ingestion/"
RAW_PATCHES = frozenset({"items-bulk/properties/", "users-bulk/properties/"})


def with_aliases(routes: Iterable[Route]) -> Iterator[Route]:
    """Every route, and again under each of its older paths."""
    for route in routes:
        yield route
        if route.path in ALIASES:
            yield replace(route, path=ALIASES[route.path])
        bulk = route.verb == "POST" and route.path.endswith("interactions-bulk/")
        if bulk or (route.verb == "PATCH" and route.path in RAW_PATCHES):
            yield replace(route, path=RAW + route.path)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path ends: its routes by verb."""

    verbs: dict[str, Route]
    allow: bytes


@dataclass(slots=True)
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    named: _Node | None = None
    place: Place | None = None


class Router:
    """Finds routes. Raises ValueError when two routes of the table are the same."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._root = _Node()
        for route in with_aliases(self.routes):
            self._add(route)

    def find(self, path: str) -> tuple[Place, list[str]] | None:
        """Place of a path, still percent-encoded, and what it names; None for an unknown path."""
        parts = segments(path)
        if parts and parts[0] == "v1":
            del parts[0]
        named: list[str] = []
        node = _walk(self._root, parts, 0, named)
        return None if node is None or node.place is None else (node.place, named)

    def _add(self, route: Route) -> None:
        node = self._root
        for part in segments(route.path):
            if part.startswith("{"):
                node.named = node = node.named or _Node()
            else:
                node = node.children.setdefault(part, _Node())
        verbs = dict(node.place.verbs) if node.place else {}
        if route.verb in verbs:
            raise ValueError(f"two routes are {route.verb} {route.path}")
        verbs[route.verb] = route
        node.place = Place(verbs, ", ".join([*sorted(verbs), "OPTIONS"]).encode())


def _walk(node: _Node, parts: list[str], at: int, named: list[str]) -> _Node | None:
    """The node at the end of the parts; a literal part is preferred to a name."""
    if at == len(parts):
        return node if node.place else None
    part = parts[at]
    text = unquote_to_bytes(part).decode("utf-8", "replace") if "%" in part else part
    child = node.children.get(text)
    if child is not None:
        found = _walk(child, parts, at + 1, named)
        if found is not None:
            return found
    if node.named is None or not text:
        return None
    named.append(text)
    found = _walk(node.named, parts, at + 1, named)
    if found is None:
        named.pop()
    return found
