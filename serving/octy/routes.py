"""Every route of the dialect."""

from __future__ import annotations

from serving.octy import account, admin, algorithms, segments, templates
from serving.octy.router import Route

ROUTES: tuple[Route, ...] = (*account.ROUTES, *algorithms.ROUTES, *admin.ROUTES, *segments.ROUTES, *templates.ROUTES)
