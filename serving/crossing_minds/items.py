"""Items (§8.1)."""

from __future__ import annotations

from serving.crossing_minds.registers import routes_of
from serving.crossing_minds.router import Route
from serving.crossing_minds.values import ITEMS

ROUTES: tuple[Route, ...] = routes_of(ITEMS, "M1")
