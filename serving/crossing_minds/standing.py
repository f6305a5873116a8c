"""The state that an answer was made from, so that it can be told whether the same would be said again."""

from __future__ import annotations

from dataclasses import dataclass

from serving.crossing_minds.errors import ApiError
from serving.crossing_minds.installation import Installation
from serving.crossing_minds.tenant import Tenant
from serving.live import View


@dataclass(frozen=True, slots=True)
class Standing:
    """One database's run, documents and items of a moment."""

    tenant: Tenant
    view: View
    documents: object
    items_changed: int

    @classmethod
    def of(cls, tenant: Tenant) -> Standing | None:
        """As of now; None before the first publish."""
        view = tenant.view()
        return None if view is None else cls(tenant, view, view.effective.documents, view.overlay.items_changed)

    def holds(self) -> bool:
        """Whether run, documents and items are still the same."""
        view = self.tenant.view()
        return (
            view is self.view and view.effective.documents is self.documents
            and view.overlay.items_changed == self.items_changed
        )

    def touched(self, profile: str) -> bool:
        """Whether anything was written about a profile, by its key, since the run."""
        return self.view.effective.changes.touches(profile)


def admitted(installation: Installation, authorization: bytes) -> bool:
    """Whether a token that was good for an answer still is."""
    try:
        session = installation.tokens.of_header(authorization)
        installation.record(installation.account(session), session.database_id)
    except ApiError:
        return False
    return True
