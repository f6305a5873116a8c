"""What was written about a profile or an item beside its properties, reduced write by write: dates, status, flags."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from store.journal import StoredWrite

CHARGED, CHURNED = "charged", "churned"


class Facts:
    """Of one profile or item. None: nothing was written, the run's value counts.

    ``created_at`` and ``updated_at`` are of the first and the last write; ``first_event`` is the least date of its
    events. ``status_at`` is when the status was set, which a ``churned`` event of an earlier date does not change.
    """

    __slots__ = (
        "charged", "churned_at", "created_at", "first_event", "has_charged", "platform_info", "status", "status_at",
        "updated_at",
    )

    def __init__(self) -> None:
        self.created_at: datetime | None = None
        self.updated_at: datetime | None = None
        self.status: str | None = None
        self.status_at: datetime | None = None
        self.has_charged: bool | None = None
        self.platform_info: Mapping[str, Any] | None = None
        self.first_event: datetime | None = None
        self.churned_at: datetime | None = None
        self.charged = False

    def wrote(self, write: StoredWrite, body: Mapping[str, Any]) -> None:
        """Take in a write of the profile or item itself."""
        at = write.received_at
        self.created_at = self.created_at or at
        self.updated_at = at
        if write.op not in ("put", "patch"):
            self.status = self.status_at = self.has_charged = None
            self.platform_info = {}
            return
        if write.op == "put":
            self.platform_info = body.get("platform_info") or {}
        if body.get("has_charged") is not None:
            self.has_charged = bool(body["has_charged"])
        if body.get("status") is not None:
            self.status, self.status_at = str(body["status"]), at

    def happened(self, event_type: str, at: datetime) -> bool:
        """Take in an event of the profile; whether it is the earliest so far."""
        first = self.first_event is None or at < self.first_event
        if first:
            self.first_event = at
        if event_type == CHARGED:
            self.charged = True
        elif event_type == CHURNED:
            self.churned_at = at if self.churned_at is None else max(self.churned_at, at)
        return first

    def status_over(self, of_run: str) -> str:
        """The status now. A later ``churned`` event counts more than a status that was set."""
        if self.churned_at is None or (self.status_at is not None and self.churned_at <= self.status_at):
            return of_run if self.status is None else self.status
        return CHURNED
