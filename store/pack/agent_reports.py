"""What reports of agents are made of, in the serving pack: sums by day, and the report of each agent. All mapped.

``store.pack.agent_report_tables`` writes them.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from decisions.aggregates import ALL, Aggregate, FeatureSums, SessionDay
from store.pack.blobs import Blob

JOIN = "\x1f"


class KeyedTexts:
    """Texts by key, as ``store.pack.agent_report_tables`` writes them: ``<name>_keys`` sorted, ``<name>``."""

    def __init__(self, folder: Path, name: str) -> None:
        self._keys = Blob(folder, f"{name}_keys")
        self._texts = Blob(folder, name)

    def get(self, *parts: str) -> bytes | None:
        """The text of a key, None without one."""
        wanted = JOIN.join(parts).encode()
        at = bisect_left(self._keys, wanted)
        return self._texts[at] if at < len(self._keys) and self._keys[at] == wanted else None

    def under(self, *parts: str) -> Iterator[tuple[list[str], bytes]]:
        """Keys that begin with these parts, what follows them, and their texts."""
        start = JOIN.join((*parts, "")).encode()
        at = bisect_left(self._keys, start)
        while at < len(self._keys) and self._keys[at].startswith(start):
            yield self._keys[at][len(start) :].decode().split(JOIN), self._texts[at]
            at += 1


class AgentReports:
    """The reports of one run; ``missing``: it was made without any."""

    def __init__(self, folder: Path) -> None:
        self.missing = not (folder / "agent_reports_keys.bin").is_file()
        if not self.missing:
            self._reports = KeyedTexts(folder, "agent_reports")
            self._days = KeyedTexts(folder, "agent_days")
            self._sums = KeyedTexts(folder, "agent_sums")
            self._features = KeyedTexts(folder, "agent_features")

    def report(self, agent: str) -> dict[str, Any] | None:
        """Everything that was decided about an agent in this run; None for one that the run does not know."""
        text = None if self.missing else self._reports.get(agent)
        return None if text is None else json.loads(text)

    def days(self, agent: str) -> list[SessionDay]:
        """Sessions by the day of their first decision and the policy of their first exposure."""
        text = None if self.missing else self._days.get(agent)
        rows = json.loads(text) if text is not None else []
        return [
            SessionDay(date.fromisoformat(day), policy or None, sessions, goals, value)
            for day, policy, sessions, goals, value in rows
        ]

    def aggregates(self, agent: str, point: str, features: tuple[str, ...] | None) -> Iterator[Aggregate]:
        """Sums over exposures of a point, all segments together: of every feature (None), or of those named."""
        if self.missing:
            return
        if features is None:
            found = ((parts[0], text) for parts, text in self._sums.under(agent, point))
        else:
            named = ((feature, self._sums.get(agent, point, feature)) for feature in features)
            found = ((feature, text) for feature, text in named if text is not None)
        for feature, text in found:
            for day, policy, arm, goal, n, x, x2, goals, goals2 in json.loads(text):
                yield Aggregate(
                    point, date.fromisoformat(day), policy, arm, ALL, feature, goal, n, x, x2, goals, goals2
                )

    def feature_sums(self, agent: str, point: str, first: date, last: date) -> Iterator[FeatureSums]:
        """Weighted sums over exposures of a point by feature, from the first to the last of these days."""
        for _, text in () if self.missing else self._features.under(agent, point):
            for day, feature, arm, n, w, w2, wx, wx2 in json.loads(text):
                if first <= date.fromisoformat(day) <= last:
                    yield FeatureSums(feature, arm, n, w, w2, wx, wx2)
