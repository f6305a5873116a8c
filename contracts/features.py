"""What an operator demands of the profile features: the content of ``definitions/features.yaml`` as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["warn", "quarantine", "block"]
FeatureType = Literal["string", "number", "integer", "boolean", "timestamp", "string[]", "number[]", "boolean[]"]
Allowed = str | float | bool


@dataclass(frozen=True, slots=True)
class FeatureRule:
    """Rules of one feature: a column of ``profile_features``, or a property written ``profile_data>>key`` or
    ``platform_info>>key``.

    ``mostly`` is the share of present values that must keep ``type``, ``minimum``, ``maximum``, ``values`` and
    ``regex``; ``max_missing`` is the share of profiles that may lack the feature. Of a list every element must keep
    the rule.
    """

    name: str
    type: FeatureType | None = None
    required: bool = False
    unique: bool = False
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[Allowed, ...] = ()
    regex: str | None = None
    mostly: float = 1.0
    max_missing: float | None = None
    severity: Severity = "warn"


@dataclass(frozen=True, slots=True)
class TableRule:
    """Rules of the whole table. ``max_drop`` is the share of profiles that may be gone since the last published run."""

    min_rows: int | None = None
    max_rows: int | None = None
    max_drop: float | None = 0.5
    severity: Severity = "warn"


@dataclass(frozen=True, slots=True)
class DriftRule:
    """Sizes from which a change since the last published run is reported.

    ``psi``: population stability index; ``missing``: change of the share missing; ``mean``: shift of the mean, in
    standard deviations of the last run; ``rows``: relative change of the number of profiles.
    """

    psi: float = 0.25
    missing: float = 0.1
    mean: float = 0.5
    rows: float = 0.3


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """All demands. ``learned``: also warn of values far outside those of the last published run."""

    features: tuple[FeatureRule, ...] = ()
    table: TableRule = TableRule()
    drift: DriftRule = DriftRule()
    learned: bool = True
