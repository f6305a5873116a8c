"""The route table's row, and how a path finds it: without its last slash, literal parts before named ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from serving.conductrics.call import Handler
from serving.conductrics.errors import ApiError, not_found

Schema = Mapping[str, Any]
KeyKind = Literal["runtime", "admin"]


@dataclass(frozen=True, slots=True)
class Route:
    """One route. ``path``: parts and ``{names}``; ``{name*}`` at the end takes the rest, with its slashes. ``key``:
    what opens it; an admin key opens all. ``query``: JSON Schema of parameters; ``body``, ``answer``: of the objects.
    """

    verbs: tuple[str, ...]
    path: str
    handler: Handler
    summary: str
    key: KeyKind = "runtime"
    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    answer: Schema | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What the path names, in order."""
        return tuple(part[1:-1].rstrip("*") for part in parts(self.path) if part.startswith("{"))


@dataclass(frozen=True, slots=True)
class Found:
    """A route and what the path names for it."""

    route: Route
    names: Mapping[str, str]


@dataclass(slots=True)
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    named: _Node | None = None
    verbs: dict[str, Route] = field(default_factory=dict)
    rest: dict[str, Route] = field(default_factory=dict)


def parts(path: str) -> list[str]:
    """Parts of a path; slashes at its ends do not count."""
    inner = path.strip("/")
    return inner.split("/") if inner else []


class Router:
    """Finds routes. Raises ValueError when two routes of the table are the same."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._root = _Node()
        for route in self.routes:
            self._add(route)

    def find(self, verb: str, path: str) -> Found:
        """The route of a decoded path below the dialect's prefix. Raises ApiError: 404, or 405 for another verb."""
        named: list[str] = []
        verbs = _walk(self._root, parts(path), 0, named)
        if verbs is None:
            raise not_found("there is no such route")
        route = verbs.get(verb)
        if route is None:
            raise ApiError(405, f"{verb[:20]} is not a method of this path", ((b"allow", allowed(verbs)),))
        return Found(route, dict(zip(route.names, named, strict=True)))

    def _add(self, route: Route) -> None:
        node, rest = self._root, False
        for part in parts(route.path):
            if part.endswith("*}"):
                rest = True
            elif part.startswith("{"):
                node.named = node = node.named or _Node()
            else:
                node = node.children.setdefault(part, _Node())
        verbs = node.rest if rest else node.verbs
        for verb in route.verbs:
            if verb in verbs:
                raise ValueError(f"two routes are {verb} {route.path}")
            verbs[verb] = route


def allowed(verbs: Iterable[str]) -> bytes:
    """The value of an ``Allow`` header."""
    return ", ".join([*sorted(verbs), "OPTIONS"]).encode()


def _walk(node: _Node, path: list[str], at: int, named: list[str]) -> dict[str, Route] | None:
    """The verbs at the end of a path: a literal part is preferred to a name, a name to a rest."""
    if at == len(path):
        return node.verbs or None
    child = node.children.get(path[at])
    if child is not None:
        found = _walk(child, path, at + 1, named)
        if found is not None:
            return found
    if node.named is not None and path[at]:
        named.append(path[at])
        found = _walk(node.named, path, at + 1, named)
        if found is not None:
            return found
        named.pop()
    if node.rest:
        named.append("/".join(path[at:]))
        return node.rest
    return None
