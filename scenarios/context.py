"""What a request knows, as far as conditions, A/B tests and nested values ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from scenarios.spec import PropertyType, Scalar


class Context(Protocol):
    """Names of properties are asked in lower case. Values are a tuple, empty where the property has none, or None
    where nothing can be known: no such person or item in the request, or no such property.
    """

    @property
    def subject(self) -> str | None:
        """Canonical text of the user's id, else of the session's; None without both."""

    @property
    def now(self) -> float:
        """Unix seconds."""

    @property
    def item_id(self) -> str | None:
        """Canonical text of the context item's id."""

    def count(self, function: str) -> int | None:
        """``n_ratings`` or ``n_interactions`` of the user or session; None without one."""

    def user_values(self, name: str) -> tuple[Scalar, ...] | None:
        """Values of a property of the requesting user."""

    def item_values(self, name: str) -> tuple[Scalar, ...] | None:
        """Values of a property of the context item."""

    def item_type(self, name: str) -> PropertyType | None:
        """Declared type of an item property."""

    def parameter(self, name: str) -> Any:
        """A request parameter as sent (JSON value, or texts of a URL); None where there is none."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A context of plain values."""

    subject: str | None = None
    now: float = 0.0
    item_id: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    user: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    item: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    item_types: Mapping[str, PropertyType] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def count(self, function: str) -> int | None:
        return self.counts.get(function)

    def user_values(self, name: str) -> tuple[Scalar, ...] | None:
        return self.user.get(name)

    def item_values(self, name: str) -> tuple[Scalar, ...] | None:
        return self.item.get(name)

    def item_type(self, name: str) -> PropertyType | None:
        return self.item_types.get(name)

    def parameter(self, name: str) -> Any:
        return self.parameters.get(name)
