"""Settings: one frozen tree of values, read once at the edge (``store.definitions``) and passed down.

Nothing reads the environment later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

AsOfPolicy = Literal["run_start", "last_event"]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """How a night runs.

    ``as_of``: the cut-off of a run. ``run_start`` is the start of the night rounded up to the next second;
    ``last_event`` is one second after the newest event, for historical data.
    ``dask_scheduler``: address of the cluster that makes the lists; empty for threads of this process.
    """

    as_of: AsOfPolicy = "run_start"
    seed: int = 0
    threads: int = 2
    memory_limit: str = "4GB"
    keep_runs: int = 7
    lease_seconds: int = 120
    dask_scheduler: str = ""


@dataclass(frozen=True, slots=True)
class Ingest:
    """How drops are read. A file is left alone until it stood still for ``settle_seconds``. ``event_types`` may stand
    in files beside those that the contract, the source mappings and the other settings name."""

    settle_seconds: float = 5.0
    max_future_hours: float = 24.0
    create_profiles: bool = False
    event_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recommendations:
    """What is recommended. ``event_weights`` gives the interaction weight of an event type; types not listed train
    nothing. Nothing is learned from a profile that lacks one of ``profile_features``.

    An event of ``exclude_event_types`` keeps its item out of the profile's lists, whether its type has a weight or not.
    A frozen window of evaluation is kept for ``frozen_days``.
    """

    event_weights: dict[str, float] = field(default_factory=lambda: {"charged": 1.0})
    half_life_days: float = 180.0
    popularity_half_life_days: float = 14.0
    exclude_event_types: tuple[str, ...] = ("charged",)
    recommend_interacted_items: bool = False
    item_stop_list: tuple[str, ...] = ()
    candidates: int = 50
    neighbours: int = 50
    validation_share: float = 0.1
    frozen_days: int = 28
    min_profiles: int = 10
    min_items: int = 10
    min_events: int = 30
    factors: int = 128
    profile_features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Churn:
    """Churn labels and gates, in the terms of the retention contract (section 13)."""

    definition: Literal["auto", "explicit", "inactivity"] = "auto"
    activity_event_types: tuple[str, ...] = ("charged",)
    min_explicit_profiles: int = 10
    horizon_days: int = 0
    lookback_days: int = 730
    thresholds: tuple[float, float, float] = (0.25, 0.5, 0.75)
    curve_days: tuple[int, ...] = (7, 14, 30, 60, 90, 180, 365)
    amount_property: str = ""
    profile_features: tuple[str, ...] = ()
    snapshots: int = 4
    min_profiles: int = 10
    min_rows: int = 30
    min_rows_per_label: int = 5
    min_events: int = 10


@dataclass(frozen=True, slots=True)
class Rfm:
    """Recency, frequency and money of the customers of the last ``window_days`` (retention contract, section 14).

    Money is ``amount_property`` of a charged event where it is a number, else the item's price.
    """

    window_days: int = 365
    amount_property: str = ""
    min_profiles: int = 4


@dataclass(frozen=True, slots=True)
class Identification:
    """Merging of profiles that carry the same authenticated id (retention contract, section 15). A greater group than
    ``max_group`` is reported as suspect and left alone."""

    max_group: int = 50


@dataclass(frozen=True, slots=True)
class Scenarios:
    """What a run does for stored scenarios. ``max_rows``: sets of rules materialized for each reco type;
    ``evaluated_profiles``: profiles on whose next events rules are judged."""

    max_rows: int = 64
    evaluated_profiles: int = 5000


@dataclass(frozen=True, slots=True)
class Experiments:
    """How A/B tests are judged. A subject converts by an event of ``goal_event_types`` within ``window_days`` after its
    first exposure. ``level``: chance of ever being wrong about one test; ``planned_subjects``: how many subjects the
    interval is tightest at."""

    goal_event_types: tuple[str, ...] = ("charged",)
    window_days: int = 7
    level: float = 0.05
    planned_subjects: int = 10_000


@dataclass(frozen=True, slots=True)
class Serving:
    """The endpoint. Binds to loopback unless told otherwise.

    The Crossing Minds dialect is served below ``crossing_minds_path`` and for every path of ``crossing_minds_hosts``.
    ``cors_origins``: pages that browsers may call it from, ``*`` for any. ``rate_limit``: requests of one account in a
    second, 0 for no limit; each process counts alone.

    The retention dialect is served below ``octy_path`` and for every path of ``octy_hosts``. ``octy_version``: what it
    tells clients that ask for the current one. ``requests_per_minute``: of one key to one of its endpoints, 0 for no
    limit.

    The decision dialect is served below ``conductrics_path`` and for every path of ``conductrics_hosts``.
    """

    host: str = "127.0.0.1"
    port: int = 8787
    workers: int = 1
    max_body_bytes: int = 16 * 1024 * 1024
    batch_limit: int = 100
    default_amount: int = 10
    commit_interval_ms: float = 2.0
    crossing_minds_path: str = "/crossing-minds"
    crossing_minds_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ("*",)
    rate_limit: float = 0.0
    octy_path: str = "/octy"
    octy_hosts: tuple[str, ...] = ()
    octy_version: str = "v2.0.1-beta"
    requests_per_minute: int = 0
    conductrics_path: str = "/conductrics"
    conductrics_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Where notifications may go, and how they look. ``allow_networks`` (CIDR) admits private networks;
    ``allow_loopback`` is meant for development. ``training_body``: ``text`` for receivers that expect a string."""

    allow_networks: tuple[str, ...] = ()
    allow_loopback: bool = False
    training_body: Literal["object", "text"] = "object"


@dataclass(frozen=True, slots=True)
class LiveSegments:
    """Segments that are followed event by event. An event older than ``max_event_age`` (hours) at its arrival is stored
    but notifies nobody. ``tag_ttl_days``: a tag of sub-type 1 ends so long after its last match, 0 never."""

    max_event_age: float = 48.0
    tag_ttl_days: float = 0.0


@dataclass(frozen=True, slots=True)
class Decisions:
    """Agents that decide. ``auto_create``: what a call names and nobody knows is created; without it, it is refused.
    ``accept_any_key``: every key opens everything, for tests. ``timezone``: of days and hours in targeting rules, where
    nothing tells the visitor's own.
    """

    auto_create: bool = True
    accept_any_key: bool = False
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one workspace. ``journal_url`` empty means SQLite in the workspace's own folder."""

    workspace: str = "default"
    journal_url: str = ""
    pipeline: Pipeline = Pipeline()
    ingest: Ingest = Ingest()
    recommendations: Recommendations = field(default_factory=Recommendations)
    churn: Churn = Churn()
    rfm: Rfm = Rfm()
    identification: Identification = Identification()
    scenarios: Scenarios = Scenarios()
    experiments: Experiments = Experiments()
    serving: Serving = Serving()
    webhooks: Webhooks = Webhooks()
    live_segments: LiveSegments = LiveSegments()
    decisions: Decisions = Decisions()
