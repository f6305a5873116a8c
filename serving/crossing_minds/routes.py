"""Every route of the dialect: one module a noun, one visible tuple."""

from __future__ import annotations

from serving.crossing_minds import databases, login
from serving.crossing_minds.router import Route

NOUNS = (login, databases)

ROUTES: tuple[Route, ...] = tuple(route for noun in NOUNS for route in noun.ROUTES)
