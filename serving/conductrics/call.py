"""One request as a handler sees it, and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from serving.conductrics.parameters import Parameters

if TYPE_CHECKING:
    from serving.conductrics.owners import Owner

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Body, status and further headers."""

    body: bytes
    status: int = 200
    headers: Headers = ()


@dataclass(slots=True)
class Call:
    """One request. ``names``: what the path names; ``body``: its JSON, None without; ``at``: the clock, in seconds
    since 1970; ``secure``: it came over HTTPS; ``key``: the kind of its key.
    """

    verb: str
    names: Mapping[str, str]
    parameters: Parameters
    at: float
    known_owner: Owner | None = None
    body: Any = None
    secure: bool = False
    key: str = ""
    headers: Mapping[bytes, bytes] = field(default_factory=dict)

    @property
    def owner(self) -> Owner:
        """The owner of the key."""
        assert self.known_owner is not None
        return self.known_owner

    @property
    def now(self) -> datetime:
        """The clock as naive UTC."""
        return datetime.fromtimestamp(self.at, UTC).replace(tzinfo=None)


def ok(reply: Any, headers: Headers = ()) -> Answer:
    """A reply that succeeds. A JSON object must have no member ``err`` or ``error``."""
    return Answer(orjson.dumps(reply), headers=headers)


Handler = Callable[[Call], Awaitable[Answer]]
