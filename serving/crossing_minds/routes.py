"""Every route of the dialect: one module a noun, one visible tuple."""

from __future__ import annotations

from serving.crossing_minds import databases, login, preview, recommendations, scenarios, tasks
from serving.crossing_minds.router import Route

# A noun is one module with its ROUTES, and one more name here.
NOUNS = (login, databases, scenarios, preview, recommendations, tasks)

ROUTES: tuple[Route, ...] = tuple(route for noun in NOUNS for route in noun.ROUTES)
