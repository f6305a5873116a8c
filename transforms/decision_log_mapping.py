"""Parses the mapping of a decision or goal log (``definitions/decision_logs/*.yaml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, get_args

from contracts.errors import Problem
from transforms import expressions

LogKind = Literal["decisions", "goals"]
FIELDS: dict[LogKind, tuple[str, ...]] = {
    "decisions": (
        "agent", "choice", "ts", "propensity", "candidates", "probs", "owner", "point", "decision", "session", "epoch",
        "policy", "version", "segment", "features", "reward", "event_id",
    ),
    "goals": ("agent", "session", "ts", "goal", "reward", "owner", "epoch", "event_id"),
}
NEEDED: dict[LogKind, tuple[str, ...]] = {
    "decisions": ("agent", "choice", "ts"), "goals": ("agent", "session", "ts"),
}
_TOP = ("name", "match", "log", "delimiter", "columns", "constants", "features", "description", "version")


@dataclass(frozen=True, slots=True)
class DecisionLog:
    """One kind of log. ``match``: globs on the path relative to the inbox. ``columns``: our column and a SQL expression
    over the file's columns; ``constants``: our column and its value in every row; ``features``: columns of the file
    that become features ``column:value``.
    """

    name: str
    match: tuple[str, ...]
    log: LogKind = "decisions"
    delimiter: str = ""
    columns: tuple[tuple[str, str], ...] = ()
    constants: tuple[tuple[str, str], ...] = ()
    features: tuple[str, ...] = ()

    def mapped(self) -> frozenset[str]:
        """Our columns that the mapping names."""
        return frozenset(name for name, _ in (*self.columns, *self.constants))


PLAIN = tuple(DecisionLog(log, (f"{log}/*.csv", f"{log}/*.csv.gz", f"{log}/*.parquet"), log) for log in
              get_args(LogKind))
"""Logs whose columns have our names already, in folders of their own."""


def parse_log(document: Any, where: str) -> tuple[DecisionLog | None, list[Problem]]:
    """The mapping of a YAML document, or every one of its problems. ``where`` is the file's name."""
    problems: list[Problem] = []
    found = _mapping(document, where, "", _TOP, problems)
    name = found.get("name")
    if not isinstance(name, str) or not name:
        problems.append(Problem(f"{where}: name", "is missing"))
    match = [found["match"]] if isinstance(found.get("match"), str) else found.get("match")
    if not isinstance(match, list) or not match or not all(isinstance(one, str) and one for one in match):
        problems.append(Problem(f"{where}: match", "is missing", "a pattern of paths in the inbox, such as logs/*.csv"))
    log: LogKind = found.get("log", "decisions")
    if log not in FIELDS:
        problems.append(Problem(f"{where}: log", f"{log!r} is no log", ", ".join(FIELDS)))
        return None, problems
    columns = _mapping(found.get("columns"), where, "columns", FIELDS[log], problems)
    constants = _mapping(found.get("constants"), where, "constants", FIELDS[log], problems)
    for column, sql in columns.items():
        fault = expressions.problem(sql) if isinstance(sql, str) else "must be a SQL expression"
        if fault:
            problems.append(Problem(f"{where}: columns.{column}", f"{fault} (in {sql!r})"))
    for column in sorted(columns.keys() & constants.keys()):
        problems.append(Problem(f"{where}: constants.{column}", "is among the columns too"))
    missing = [one for one in NEEDED[log] if one not in columns and one not in constants]
    if missing:
        problems.append(Problem(f"{where}: columns", f"lacks {', '.join(missing)}"))
    features = found.get("features", [])
    if not isinstance(features, list) or not all(isinstance(one, str) and one for one in features):
        problems.append(Problem(f"{where}: features", "must be a list of columns of the file"))
    if problems:
        return None, problems
    given = tuple((column, str(value)) for column, value in constants.items())
    assert isinstance(match, list)
    return DecisionLog(
        str(name), tuple(match), log, str(found.get("delimiter", "")), tuple(columns.items()), given, tuple(features)
    ), []


def _mapping(
    raw: Any, where: str, path: str, known: tuple[str, ...], problems: list[Problem]
) -> dict[str, Any]:
    place = f"{where}: {path}" if path else where
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        problems.append(Problem(place, "must be a mapping"))
        return {}
    for key in raw:
        if key not in known:
            near = get_close_matches(str(key), known, 1)
            problems.append(Problem(f"{place}.{key}" if path else f"{where}: {key}", "is not known",
                                    f"did you mean {near[0]!r}?" if near else ", ".join(known)))
    return {key: value for key, value in raw.items() if key in known}
