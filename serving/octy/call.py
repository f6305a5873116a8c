"""One request as a handler sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from serving.octy.envelope import Answer

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from serving.octy.accounts import Account


@dataclass(slots=True)
class Call:
    """One request, checked as far as its route tells. ``body``: the JSON object, empty for a GET; ``headers`` by name
    in lower case; ``who``: the public key of the pair. ``at``: the clock, in seconds since 1970.
    """

    query: QueryParams
    headers: dict[bytes, bytes]
    body: dict[str, Any]
    at: float
    who: str = ""
    known_account: Account | None = None

    @property
    def account(self) -> Account:
        """The account of the key pair."""
        assert self.known_account is not None
        return self.known_account

    @property
    def now(self) -> datetime:
        """The clock as naive UTC."""
        return datetime.fromtimestamp(self.at, UTC).replace(tzinfo=None)


Handler = Callable[[Call], Awaitable[Answer]]
