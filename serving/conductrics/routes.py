"""Every route of the dialect."""

from __future__ import annotations

from serving.conductrics import (
    agent_api,
    batch,
    decision,
    fixed_targeting,
    goal,
    management,
    reports,
    session,
    targeting_rules,
)
from serving.conductrics.router import Route

ROUTES: tuple[Route, ...] = (
    *decision.ROUTES, *goal.ROUTES, *session.ROUTES, *batch.ROUTES, *management.ROUTES, *agent_api.ROUTES,
    *targeting_rules.ROUTES, *fixed_targeting.ROUTES, *reports.ROUTES,
)
