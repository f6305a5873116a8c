"""What a call says of its visitor beside codes: read in memory for targeting rules and then forgotten.

Nothing of this object may be stored or logged (contract, section 7); only the features that rules derive from it are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

BROWSERS = ("Mozilla/", "Opera/")


@dataclass(frozen=True, slots=True, repr=False)
class Visitor:
    """``at``: the moment of the call, naive UTC; ``zone``: the owner's time zone. ``parameters``: of the call (``utm_``
    ones are read). ``features``: of the call, as the number of each code.
    """

    at: datetime
    zone: tzinfo
    user_agent: str = ""
    referrer: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, float] = field(default_factory=dict)
    found: dict[str, str | None] = field(default_factory=dict, compare=False)


def user_agent(parameter: str, header: str) -> str:
    """The visitor's own user agent: the parameter, else the header if it is a browser's and not a program's."""
    return parameter or (header if header.startswith(BROWSERS) else "")
