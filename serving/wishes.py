"""What a scenario lookup is asked for, and what it answers: our own words, which every dialect translates to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from scenarios.merge import NO_RULES
from scenarios.resolve import Split
from scenarios.spec import Rules, Scalar
from serving.moment import Met

if TYPE_CHECKING:
    from store.pack.rows import Rows

DEFAULT_AMOUNT = 10
DEFAULT_VALUES = 16
MOST = 64


@dataclass(slots=True)
class Wish:
    """One request, filled in as it is read.

    ``reco_type`` None: the generic scenario says. ``scenario``: name of the runtime (or generic) scenario. ``rules``:
    of the request itself, parsed but not bound to types. ``offset``: how many are left out before the first. Ids are
    canonical text. ``parameters``: what conditions may look at. ``user_properties``: instead of the stored ones.
    ``rows``: whether materialized rows may be read.
    """

    reco_type: str | None
    scenario: str | None = None
    skip_default: bool = False
    rules: Rules = NO_RULES
    offset: int = 0
    user_id: str | None = None
    session_id: str | None = None
    item_id: str | None = None
    met: Sequence[Met] = ()
    context_items: Sequence[str] = ()
    item_properties: Mapping[str, Scalar | Sequence[Scalar]] = field(default_factory=dict)
    members: Sequence[str] = ()
    consensus: float = 0.0
    property: str | None = None
    user_properties: Mapping[str, tuple[Scalar, ...]] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    now: float = 0.0
    rows: bool = True


@dataclass(slots=True)
class Granted:
    """One answer: item rows of the run, best first; ``values`` instead for property lists. ``more``: others follow.

    ``splits``: the A/B tests that took part, with the subject's group. ``rows``: where the items were read from.
    """

    items: list[int] = field(default_factory=list)
    values: list[Scalar] = field(default_factory=list)
    more: bool = False
    source: Literal["row", "evaluated"] = "evaluated"
    cold: bool = False
    reco_type: str = ""
    warnings: list[str] = field(default_factory=list)
    evaluated: dict[str, Any] | None = None
    max_age: int | None = None
    splits: tuple[Split, ...] = ()
    rows: Rows | None = None
