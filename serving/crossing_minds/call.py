"""One request as a handler sees it, and what a handler answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from serving.crossing_minds.errors import NotFoundError
from serving.crossing_minds.query import Query
from store.control import Account, AccountRole

if TYPE_CHECKING:
    from serving.crossing_minds.auth import Session
    from serving.crossing_minds.forms import Form
    from serving.crossing_minds.installation import Installation
    from serving.crossing_minds.tenant import Tenant

# An object (or, already encoded, its bytes) is a 200; None is a 204.
Answer = dict[str, Any] | bytes | None


@dataclass(slots=True)
class Call:
    """One request, checked as far as its route tells: login, role, database, ids in the path, a frontend's own ids.

    ``params``: what the path names; ``user_id``, ``item_id`` and ``session_id`` as canonical text. ``query``: a
    multi-dict of text. ``body``: the JSON object, empty when none came. ``headers``: to add to the answer's.
    ``row_of``: set by a handler whose answer is a stored row of this profile (its key) and nothing else;
    ``form`` then what it has in common with other profiles' answers, if that is all but the row.
    """

    installation: Installation
    params: dict[str, str]
    query: Query
    body: dict[str, Any]
    session: Session | None = None
    tenant: Tenant | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    row_of: str = ""
    form: Form | None = None

    @property
    def database(self) -> Tenant:
        """The database of the login."""
        if self.tenant is None:
            raise NotFoundError("DATABASE_NOT_FOUND", "database", None)
        return self.tenant

    @property
    def who(self) -> Session:
        """What the token says."""
        assert self.session is not None
        return self.session

    @property
    def role(self) -> AccountRole:
        """The role of the login."""
        return self.who.role

    @property
    def account(self) -> Account:
        """The account of the login."""
        return self.installation.directory().accounts[self.who.account_id]

    @property
    def frontend_user_id(self) -> str | None:
        """The user that a frontend login is for, as canonical text."""
        return self.who.frontend_user_id

    @property
    def frontend_session_id(self) -> str | None:
        """The session that a frontend login is for, as canonical text."""
        return self.who.frontend_session_id


Handler = Callable[[Call], Awaitable[Answer]]
