"""Every route of the dialect: one module a noun, one visible tuple."""

from __future__ import annotations

from serving.crossing_minds import (
    databases,
    interactions,
    items,
    llm,
    login,
    preview,
    properties,
    ratings,
    recommendations,
    scenarios,
    sessions,
    tasks,
    users,
)
from serving.crossing_minds.router import Route

# A noun is one module with its ROUTES, and one more name here.
NOUNS = (
    login, databases, properties, items, users, ratings, interactions, sessions, scenarios, preview, recommendations,
    llm, tasks,
)

ROUTES: tuple[Route, ...] = tuple(route for noun in NOUNS for route in noun.ROUTES)
