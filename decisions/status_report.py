"""The status report: sessions and goals by day, and what adaptive choices added (decision contract, section 10.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from decisions.aggregates import SessionDay, epoch

LIFTS = (
    "liftOverDefaultUsingGoals",
    "liftOverDefaultUsingValue",
    "liftOverRandomUsingGoals",
    "liftOverRandomUsingValue",
)


@dataclass(slots=True)
class _Tally:
    sessions: int = 0
    goals: int = 0
    value: float = 0.0

    def add(self, row: SessionDay) -> None:
        self.sessions += row.sessions
        self.goals += row.goals
        self.value += row.value

    def add_tally(self, other: _Tally) -> None:
        self.sessions += other.sessions
        self.goals += other.goals
        self.value += other.value


@dataclass(slots=True)
class _Day:
    """Sessions of a day, or of several: all of them, and by policy."""

    every: _Tally = field(default_factory=_Tally)
    by_policy: dict[str, _Tally] = field(default_factory=dict)

    def add(self, row: SessionDay) -> None:
        self.every.add(row)
        if row.policy is not None:
            self.by_policy.setdefault(row.policy, _Tally()).add(row)

    def add_day(self, day: _Day) -> None:
        self.every.add_tally(day.every)
        for policy, tally in day.by_policy.items():
            self.by_policy.setdefault(policy, _Tally()).add_tally(tally)

    def lifts(self) -> dict[str, float]:
        """The four lifts, as fractions, by name."""
        control, explore, exploit = (self.by_policy.get(name, _Tally()) for name in ("control", "explore", "exploit"))
        goals = [_ratio(one.goals, one.sessions) for one in (control, explore, exploit)]
        value = [_ratio(one.value, one.sessions) for one in (control, explore, exploit)]
        found = (
            _lift(goals[2], goals[0]), _lift(value[2], value[0]), _lift(goals[2], goals[1]), _lift(value[2], value[1]),
        )  # fmt: skip
        return dict(zip(LIFTS, found, strict=True))


def report(rows: Iterable[SessionDay], first: date, last: date) -> dict[str, Any]:
    """What the report says of one agent. ``totals`` are of all rows, days those from ``first`` to ``last``, both
    taken in; ``today`` is the last one.
    """
    held = sorted(rows, key=lambda row: (row.date, row.policy or ""))
    by_day: dict[date, _Day] = {first + timedelta(days=at): _Day() for at in range((last - first).days + 1)}
    for row in held:
        if row.date in by_day:
            by_day[row.date].add(row)
    days, so_far = [], _Day()
    for at, day in by_day.items():
        so_far.add_day(day)
        days.append(_shown(at, day, so_far))
    metrics = [name for name in days[0] if name != "date"] if days else []
    totals = {
        "goals": _total([(row.date, row.goals) for row in held]),
        "sessions": _total([(row.date, row.sessions) for row in held]),
    }
    return {
        "totals": totals,
        "dates": days,
        "trends": {"dates": [day["date"] for day in days]} | {name: [day[name] for day in days] for name in metrics},
        "today": days[-1] if days else {},
        "described": _described(first, last, so_far),
    }


def _shown(at: date, day: _Day, so_far: _Day) -> dict[str, Any]:
    every, lifts, to_date = day.every, day.lifts(), so_far.lifts()
    return {
        "date": epoch(at),
        "sessionCount": every.sessions,
        "goalCount": every.goals,
        "goalValue": every.value,
        "goalsPerSession": _ratio(every.goals, every.sessions),
        "valuePerSession": _ratio(every.value, every.sessions),
        "valuePerGoal": _ratio(every.value, every.goals),
        **lifts,
        **{f"{name}ToDate": value for name, value in to_date.items()},
        "liftOverDefault": round(100 * lifts["liftOverDefaultUsingValue"], 1),
        "liftOverRandom": round(100 * lifts["liftOverRandomUsingValue"], 1),
    }


def _total(counts: Sequence[tuple[date, int]]) -> dict[str, int]:
    """A count, and the first and last day that have any."""
    some = [day for day, count in counts if count]
    return {
        "count": sum(count for _, count in counts),
        "dateFrom": epoch(some[0]) if some else 0,
        "dateThru": epoch(some[-1]) if some else 0,
    }


def _described(first: date, last: date, all_days: _Day) -> str:
    every, lifts = all_days.every, all_days.lifts()
    default, random = (100 * lifts[name] for name in ("liftOverDefaultUsingValue", "liftOverRandomUsingValue"))
    return (
        f"<p>{every.sessions} sessions and {every.goals} goals worth {every.value:g} from {first} to {last}. "
        f"Per session, adaptive choices brought {default:+.1f} % beside the default and {random:+.1f} % beside "
        "random choices.</p>"
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _lift(found: float, base: float) -> float:
    return found / base - 1 if base else 0.0
