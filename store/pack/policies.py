"""Policies in the serving pack: rows by agent, version, point, decision set, segment and pattern; all mapped.

A run has the rows that it serves and those of earlier versions, so that an agent can be rolled back at once.
``store.pack.policy_tables`` writes them.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from decisions.patterns import Encoding, Feature
from store.pack.arrays import map_flat
from store.pack.blobs import Blob

Level = Literal["pattern", "segment", "agent"]
NAME = "policies.json"
ANY = "*"
UNIFORM = "0"
"""The version of an agent without a table: every choice is as likely as any other."""
_JOIN = "\x1f"


class PolicyBook:
    """The policies of one run. ``pins`` names agents whom an operator rolled back, with the version they serve.
    ``respected``: the last reset of each agent that the run knew; what it learned is from after it.

    ``missing``: the run was made without policies; every agent has version ``0`` then and no rows.
    """

    def __init__(self, folder: Path, pins: Mapping[str, str] | None = None) -> None:
        path = folder / NAME
        self.missing = not path.is_file()
        self._pins: Mapping[str, str] = pins or {}
        facts: dict[str, Any] = {} if self.missing else json.loads(path.read_text())
        self._served: dict[str, str] = facts.get("served", {})
        self.respected = {agent: datetime.fromisoformat(at) for agent, at in facts.get("resets", {}).items()}
        self._versions: dict[str, list[str]] = facts.get("versions", {})
        self._encodings: dict[str, Encoding] = {
            key: Encoding(one["indicators"], [Feature(code, numeric, tuple(cuts)) for code, numeric, cuts in
                                              one["features"]])
            for key, one in facts.get("encodings", {}).items()
        }
        if not self.missing:
            self._keys = Blob(folder, "policy_keys")
            self._arms = Blob(folder, "policy_arms")
            self._starts = map_flat(folder / "policy_starts.npy")
            self._weights = map_flat(folder / "policy_weights.npy")

    def with_pins(self, pins: Mapping[str, str]) -> PolicyBook:
        """The same book with other pins (agent to version); nothing is read again."""
        other = object.__new__(PolicyBook)
        other.__dict__.update(self.__dict__)
        other._pins = dict(pins)
        return other

    def version(self, agent: str) -> str:
        """The version that the agent serves: the pinned one if the book has it, else the run's; ``0`` without any."""
        pinned = self._pins.get(agent)
        if pinned is not None and pinned in self.versions(agent):
            return pinned
        return self._served.get(agent, UNIFORM)

    def versions(self, agent: str) -> tuple[str, ...]:
        """Versions that the agent can be pinned to, the newest first; ``0`` is the last of them."""
        return (*self._versions.get(agent, ()), UNIFORM)

    def find(
        self, agent: str, point: str, decision_set: str, segment: str, pattern: str
    ) -> tuple[Level, dict[str, float]] | None:
        """The row set that serves this context and where it was found: weight by arm, in the order of the arms.

        The first that exists for (segment, pattern), (segment, ``*``), (``*``, ``*``); None: every arm alike.
        """
        version = self.version(agent)
        if self.missing or version == UNIFORM:
            return None
        levels: tuple[tuple[Level, str, str], ...] = (
            ("pattern", segment, pattern), ("segment", segment, ANY), ("agent", ANY, ANY)
        )
        for level, wanted, shown in levels:
            row = self._row(_JOIN.join((agent, version, point, decision_set, wanted, shown)))
            if row >= 0:
                weights = self._weights[self._starts[row] : self._starts[row + 1]].tolist()
                return level, dict(zip(self._arms[row].decode().split(" "), weights, strict=True))
        return None

    def indicators(self, agent: str, point: str) -> Encoding:
        """How the features of a session become its pattern at this point, in the version that is served."""
        return self._encodings.get(_JOIN.join((agent, self.version(agent), point)), _NONE)

    def _row(self, key: str) -> int:
        wanted = key.encode()
        at = bisect_left(self._keys, wanted)
        return at if at < len(self._keys) and self._keys[at] == wanted else -1


_NONE = Encoding()
