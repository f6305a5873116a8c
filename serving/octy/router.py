"""The route table's row, and how a path finds it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from serving.octy.call import Call, Handler
from serving.octy.envelope import Answer
from serving.octy.errors import NOT_OFFERED, NOT_YET, OctyError


@dataclass(frozen=True, slots=True)
class Route:
    """One route. ``path`` begins with ``/v1/``; ``open``: needs no keys."""

    verb: str
    path: str
    handler: Handler
    summary: str
    open: bool = False


async def not_yet(_call: Call) -> Answer:
    """An endpoint of a later version."""
    raise OctyError(400, NOT_YET)


class Router:
    """Finds routes. Raises ValueError when two routes of the table are the same."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._places: dict[str, dict[str, Route]] = {}
        for route in self.routes:
            verbs = self._places.setdefault(route.path, {})
            if route.verb in verbs:
                raise ValueError(f"two routes are {route.verb} {route.path}")
            verbs[route.verb] = route

    def find(self, verb: str, path: str) -> Route:
        """The route of a path below the dialect's prefix, with or without a last slash. Raises OctyError."""
        verbs = self._places.get(path) or self._places.get(path.rstrip("/"))
        if verbs is None:
            raise OctyError(404, NOT_OFFERED)
        route = verbs.get(verb)
        if route is None:
            allow = ", ".join(sorted(verbs)).encode()
            raise OctyError(405, f"{verb[:20]} is not a method of this path", headers=((b"allow", allow),))
        return route
