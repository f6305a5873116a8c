"""An agent: its points, decisions, choices, goals and settings, from and to the configuration document (12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from decisions.fixed import FixedTarget

Status = Literal["enabled", "paused", "stopped", "provisional"]
RewardModel = Literal["auto", "binary", "valued"]

DEFAULT_TIMEOUT = 1_081_800  # seconds
DEFAULT_VISIT = 14_400  # seconds
FIXED = "fixedTargeting"

More = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a decision. ``more``: members of the document that mean nothing here, kept and returned."""

    code: str
    name: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    more: More = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """One list of choices; the first is the default. ``paused_choice``: what a paused agent answers, empty for it."""

    code: str
    choices: tuple[Choice, ...]
    name: str = ""
    paused_choice: str = ""
    more: More = field(default_factory=dict)

    def codes(self) -> tuple[str, ...]:
        """Codes of the choices, in stored order."""
        return tuple(choice.code for choice in self.choices)

    def choice(self, code: str) -> Choice | None:
        """A choice by its code."""
        return next((choice for choice in self.choices if choice.code == code), None)


@dataclass(frozen=True, slots=True)
class Point:
    """A place where the agent decides. ``fixed``: choices that features settle (11)."""

    code: str
    decisions: tuple[Decision, ...]
    name: str = ""
    fixed: tuple[FixedTarget, ...] = ()
    more: More = field(default_factory=dict)

    def decision(self, code: str) -> Decision | None:
        """A decision by its code."""
        return next((decision for decision in self.decisions if decision.code == code), None)


@dataclass(frozen=True, slots=True)
class Goal:
    """A kind of success. ``limit``: accepted events of an epoch, 0 for no limit; ``min``, ``max``: bounds of a reward,
    ``default``: the reward of a call without one (None: none is set)."""

    code: str
    name: str = ""
    min: float | None = None
    max: float | None = None
    default: float | None = None
    limit: int = 1
    more: More = field(default_factory=dict)
    settings_more: More = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Learning:
    """How visits are split and what is learned from. ``exploration_rate`` is e, ``control_rate`` is c."""

    exploration_rate: float = 0.2
    control_rate: float = 0.1
    window_days: int = 90
    reward_model: RewardModel = "auto"
    more: More = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """Sessions and cookies. ``timeout`` and ``visit_len`` are seconds; the latter and ``allow_undo`` have no effect."""

    sticky: bool = True
    timeout: int = DEFAULT_TIMEOUT
    visit_len: int = DEFAULT_VISIT
    cookies: bool = True
    allow_undo: bool = False
    more: More = field(default_factory=dict)
    sessions_more: More = field(default_factory=dict)
    cookies_more: More = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Targeting:
    """Codes that learning may use: segments seen, and the features of which patterns are made (empty: found)."""

    segments: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    more: More = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Agent:
    """A learning project. ``created``, ``changed``: seconds since 1970 (``created`` and ``ts`` of the document)."""

    code: str
    owner: str
    name: str = ""
    created: int = 0
    changed: int = 0
    status: Status = "enabled"
    aa: bool = False
    goals: tuple[Goal, ...] = ()
    points: tuple[Point, ...] = ()
    learning: Learning = field(default_factory=Learning)
    settings: Settings = field(default_factory=Settings)
    targeting: Targeting = field(default_factory=Targeting)
    more: More = field(default_factory=dict)

    def point(self, code: str) -> Point | None:
        """A point by its code."""
        return next((point for point in self.points if point.code == code), None)

    def goal(self, code: str) -> Goal | None:
        """A goal by its code."""
        return next((goal for goal in self.goals if goal.code == code), None)


def from_document(document: Mapping[str, Any], owner: str = "", code: str = "") -> Agent:
    """The agent of a checked document; what it does not say has its default."""
    learning, settings = _object(document, "learning"), _object(document, "settings")
    return Agent(
        code=document.get("code", code), owner=document.get("owner", owner), name=document.get("name", ""),
        created=document.get("created", 0), changed=document.get("ts", 0), status=document.get("status", "enabled"),
        aa=document.get("aa", False),
        goals=tuple(_goal(one) for one in document.get("goals", ())),
        points=tuple(_point(one) for one in document.get("points", ())),
        learning=Learning(
            learning.get("explorationRate", 0.2), learning.get("controlGroupRate", 0.1),
            learning.get("windowDays", 90), learning.get("rewardModel", "auto"),
            _rest(learning, "explorationRate", "controlGroupRate", "windowDays", "rewardModel"),
        ),
        settings=_settings(settings), targeting=_targeting(_object(document, "targeting")),
        more=_rest(
            document, "code", "owner", "name", "created", "ts", "status", "aa", "goals", "points", "learning",
            "settings", "targeting",
        ),
    )


def to_document(agent: Agent) -> dict[str, Any]:
    """The configuration document of an agent."""
    learning, settings = agent.learning, agent.settings
    return {
        "code": agent.code, "owner": agent.owner, "name": agent.name, "created": agent.created, "ts": agent.changed,
        "status": agent.status, "aa": agent.aa,
        "goals": [_goal_document(goal) for goal in agent.goals],
        "points": [_point_document(point) for point in agent.points],
        "learning": {
            "explorationRate": learning.exploration_rate, "controlGroupRate": learning.control_rate,
            "windowDays": learning.window_days, "rewardModel": learning.reward_model, **learning.more,
        },
        "settings": {
            "sessions": {
                "sticky": settings.sticky, "timeout": settings.timeout, "visitLen": settings.visit_len,
                **settings.sessions_more,
            },
            "cookies": {"enabled": settings.cookies, **settings.cookies_more}, "allowUndo": settings.allow_undo,
            **settings.more,
        },
        "targeting": {
            "segments": list(agent.targeting.segments), "features": list(agent.targeting.features),
            **agent.targeting.more,
        },
        **agent.more,
    }


def _goal(found: Mapping[str, Any]) -> Goal:
    settings = _object(found, "settings")
    return Goal(
        found["code"], found.get("name", ""), settings.get("min"), settings.get("max"), settings.get("default"),
        settings.get("limit", 1), _rest(found, "code", "name", "settings"),
        _rest(settings, "min", "max", "default", "limit"),
    )


def _goal_document(goal: Goal) -> dict[str, Any]:
    bounds = {"min": goal.min, "max": goal.max, "default": goal.default}
    given = {name: value for name, value in bounds.items() if value is not None}
    settings = {**given, "limit": goal.limit, **goal.settings_more}
    return {"code": goal.code, **_named(goal.name), "settings": settings, **goal.more}


def _point(found: Mapping[str, Any]) -> Point:
    decisions = tuple(_decision(one) for one in found.get("decisions", ()))
    fixed = tuple(FixedTarget(one["feature"], *one["decision"].split(":")) for one in found.get(FIXED) or ())
    return Point(
        found["code"], decisions, found.get("name", ""), fixed, _rest(found, "code", "name", "decisions", FIXED)
    )


def _point_document(point: Point) -> dict[str, Any]:
    decisions = [_decision_document(one) for one in point.decisions]
    targets = [{"feature": one.feature, "decision": f"{one.decision}:{one.choice}"} for one in point.fixed]
    fixed = {FIXED: targets} if targets else {}
    return {"code": point.code, **_named(point.name), "decisions": decisions, **fixed, **point.more}


def _decision(found: Mapping[str, Any]) -> Decision:
    return Decision(
        found["code"], tuple(_choice(one) for one in found.get("choices", ())), found.get("name", ""),
        found.get("pausedChoice", ""), _rest(found, "code", "name", "choices", "pausedChoice"),
    )


def _decision_document(decision: Decision) -> dict[str, Any]:
    paused = {"pausedChoice": decision.paused_choice} if decision.paused_choice else {}
    choices = [_choice_document(one) for one in decision.choices]
    return {"code": decision.code, **_named(decision.name), "choices": choices, **paused, **decision.more}


def _choice(found: Mapping[str, Any]) -> Choice:
    more = _rest(found, "code", "name", "meta")
    return Choice(found["code"], found.get("name", ""), dict(found.get("meta", {})), more)


def _choice_document(choice: Choice) -> dict[str, Any]:
    meta = {"meta": dict(choice.meta)} if choice.meta else {}
    return {"code": choice.code, **_named(choice.name), **meta, **choice.more}


def _settings(found: Mapping[str, Any]) -> Settings:
    sessions, cookies = _object(found, "sessions"), _object(found, "cookies")
    return Settings(
        sessions.get("sticky", True), sessions.get("timeout", DEFAULT_TIMEOUT), sessions.get("visitLen", DEFAULT_VISIT),
        cookies.get("enabled", True), found.get("allowUndo", False), _rest(found, "sessions", "cookies", "allowUndo"),
        _rest(sessions, "sticky", "timeout", "visitLen"), _rest(cookies, "enabled"),
    )


def _targeting(found: Mapping[str, Any]) -> Targeting:
    return Targeting(
        tuple(found.get("segments", ())), tuple(found.get("features", ())), _rest(found, "segments", "features")
    )


def _object(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value: Mapping[str, Any] = found.get(name) or {}
    return value


def _rest(found: Mapping[str, Any], *known: str) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in known}


def _named(name: str) -> dict[str, str]:
    return {"name": name} if name else {}


def codes(things: Sequence[Point] | Sequence[Goal]) -> tuple[str, ...]:
    """Codes of points or goals, in stored order."""
    return tuple(thing.code for thing in things)
