"""Every route of the dialect."""

from __future__ import annotations

from serving.octy import (
    account,
    admin,
    algorithms,
    churn_report,
    content,
    event_types,
    events,
    items,
    profiles,
    recommendations,
    segments,
    templates,
)
from serving.octy.router import Route

ROUTES: tuple[Route, ...] = (
    *account.ROUTES, *algorithms.ROUTES, *admin.ROUTES, *profiles.ROUTES, *items.ROUTES, *event_types.ROUTES,
    *events.ROUTES, *segments.ROUTES, *recommendations.ROUTES, *churn_report.ROUTES, *templates.ROUTES,
    *content.ROUTES,
)
