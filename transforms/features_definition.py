"""Parses ``definitions/features.yaml``: a document becomes frozen rules, or all of its problems at once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

import duckdb

from contracts.errors import Problem
from contracts.features import DriftRule, FeatureRule, FeatureSpec, FeatureType, Severity, TableRule

_TYPES = get_args(FeatureType)
_SEVERITIES = get_args(Severity)
_TOP = ("version", "table", "drift", "learned", "features")
_TABLE = ("min_rows", "max_rows", "max_drop", "severity")
_DRIFT = ("psi", "missing", "mean", "rows")
_FEATURE = ("type", "required", "unique", "min", "max", "in", "regex", "mostly", "max_missing", "severity")
_NAME = re.compile(r"(?:(?:profile_data|platform_info)>>.+|[^>]+)", re.DOTALL)
_ORDERED = {None, "number", "integer", "number[]"}
_TEXTUAL = {None, "string", "string[]"}


@dataclass(frozen=True, slots=True)
class ParsedFeatures:
    """Either ``spec``, or None with every ``problems``."""

    spec: FeatureSpec | None
    problems: tuple[Problem, ...]


def parse_features(document: Any, where: str) -> ParsedFeatures:
    """Turn a YAML document (nested dicts and lists) into a ``FeatureSpec``. ``where`` is the file's name, for the
    problems.

    Every fault is reported with its path in the document, not only the first. An empty document gives the defaults.
    """
    parser = _Parser(where)
    spec = parser.spec({} if document is None else document)
    return ParsedFeatures(None if parser.problems else spec, tuple(parser.problems))


class _Parser:
    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[Problem] = []

    def problem(self, path: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(f"{self.where}{':' if path else ''}{path}", message, hint))

    def mapping(self, raw: Any, path: str, known: Sequence[str] | None) -> dict[str, Any]:
        """``raw`` as a mapping with text keys, unknown keys reported and left out."""
        if raw is None:
            return {}
        if not isinstance(raw, Mapping):
            self.problem(path, f"must be a mapping, not {_kind(raw)}")
            return {}
        clean = {}
        for key, value in raw.items():
            if not isinstance(key, str) or not key:
                self.problem(path, f"key {key!r} must be text", "put it in quotes")
            elif known is not None and key not in known:
                near = get_close_matches(key, known, 1)
                self.problem(f"{path}.{key}".lstrip("."), "is not known", near[0] if near else ", ".join(known))
            else:
                clean[key] = value
        return clean

    def spec(self, document: Any) -> FeatureSpec:
        top = self.mapping(document, "", _TOP)
        if top.get("version", 1) != 1:
            self.problem("version", f"must be 1, not {top['version']!r}")
        features = self.mapping(top.get("features"), "features", None)
        return FeatureSpec(
            features=tuple(self.feature(name, raw) for name, raw in features.items()),
            table=self.table(top.get("table")),
            drift=self.drift(top.get("drift")),
            learned=self.boolean(top, "learned", "", True),
        )

    def table(self, raw: Any) -> TableRule:
        found = self.mapping(raw, "table", _TABLE)
        low = self.number(found, "min_rows", "table", whole=True, low=0)
        high = self.number(found, "max_rows", "table", whole=True, low=0)
        if low is not None and high is not None and low > high:
            self.problem("table", f"min_rows {low:g} is above max_rows {high:g}")
        drop = self.number(found, "max_drop", "table", low=0, high=1) if "max_drop" in found else TableRule().max_drop
        return TableRule(
            min_rows=None if low is None else int(low),
            max_rows=None if high is None else int(high),
            max_drop=drop,
            severity=self.severity(found, "table"),
        )

    def drift(self, raw: Any) -> DriftRule:
        found = self.mapping(raw, "drift", _DRIFT)
        default = DriftRule()
        values = {name: self.number(found, name, "drift", low=0) for name in _DRIFT}
        return DriftRule(**{name: getattr(default, name) if value is None else value for name, value in values.items()})

    def feature(self, name: str, raw: Any) -> FeatureRule:
        path = f"features[{name!r}]"
        if not _NAME.fullmatch(name):
            self.problem(
                path, "is no feature name", "a column of profile_features, profile_data>>key or platform_info>>key"
            )
        found = self.mapping(raw, path, _FEATURE)
        rule = FeatureRule(
            name=name,
            type=self.choice(found, "type", path, _TYPES, None),
            required=self.boolean(found, "required", path, False),
            unique=self.boolean(found, "unique", path, False),
            minimum=self.number(found, "min", path),
            maximum=self.number(found, "max", path),
            values=self.values(found, path),
            regex=self.regex(found, path),
            mostly=_default(self.number(found, "mostly", path, low=0, high=1), 1.0),
            max_missing=self.number(found, "max_missing", path, low=0, high=1),
            severity=self.severity(found, path),
        )
        self.agreement(rule, path)
        return rule

    def agreement(self, rule: FeatureRule, path: str) -> None:
        """Report rules of one feature that cannot hold together."""
        if rule.minimum is not None and rule.maximum is not None and rule.minimum > rule.maximum:
            self.problem(path, f"min {rule.minimum:g} is above max {rule.maximum:g}")
        if rule.required and rule.max_missing:
            self.problem(path, "required allows nothing to be missing, but max_missing does", "give one of them")
        if (rule.minimum is not None or rule.maximum is not None) and rule.type not in _ORDERED:
            self.problem(path, f"min and max need a number, not type {rule.type}")
        if rule.regex is not None and rule.type not in _TEXTUAL:
            self.problem(path, f"regex needs a string, not type {rule.type}")
        if rule.unique and (rule.type or "").endswith("[]"):
            self.problem(path, "unique cannot be asked of a list")
        if rule.regex is not None and (rule.minimum is not None or rule.maximum is not None):
            self.problem(path, "regex is for strings, min and max are for numbers", "give one of them")
        expected = {"string": str, "boolean": bool}.get((rule.type or "").removesuffix("[]"))
        for value in rule.values:
            if expected is not None and not isinstance(value, expected):
                self.problem(f"{path}.in", f"{value!r} is not of type {rule.type}", "put text in quotes")
            elif rule.type in {"number", "integer", "number[]"} and (
                isinstance(value, bool) or not isinstance(value, float)
            ):
                self.problem(f"{path}.in", f"{value!r} is not of type {rule.type}")

    def number(
        self,
        found: dict[str, Any],
        key: str,
        path: str,
        *,
        whole: bool = False,
        low: float | None = None,
        high: float | None = None,
    ) -> float | None:
        value = found.get(key)
        if value is None:
            return None
        where = f"{path}.{key}"
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.problem(where, f"must be a number, not {value!r}")
        elif whole and value != int(value):
            self.problem(where, f"must be a whole number, not {value!r}")
        elif (low is not None and value < low) or (high is not None and value > high):
            self.problem(where, f"must be {_span(low, high)}, not {value!r}")
        else:
            return float(value)
        return None

    def boolean(self, found: dict[str, Any], key: str, path: str, default: bool) -> bool:
        value = found.get(key, default)
        if isinstance(value, bool):
            return value
        self.problem(f"{path}.{key}".lstrip("."), f"must be true or false, not {value!r}")
        return default

    def choice(self, found: dict[str, Any], key: str, path: str, options: Sequence[str], default: Any) -> Any:
        value = found.get(key, default)
        if value is None or value in options:
            return value
        near = get_close_matches(str(value), options, 1)
        self.problem(f"{path}.{key}", f"{value!r} is none of {', '.join(options)}", near[0] if near else "")
        return default

    def severity(self, found: dict[str, Any], path: str) -> Any:
        return self.choice(found, "severity", path, _SEVERITIES, "warn")

    def values(self, found: dict[str, Any], path: str) -> tuple[str | float | bool, ...]:
        raw = found.get("in")
        if raw is None:
            return ()
        if not isinstance(raw, list) or not raw:
            self.problem(f"{path}.in", "must be a list of at least one value")
            return ()
        for value in raw:
            if not isinstance(value, str | int | float | bool):
                self.problem(f"{path}.in", f"{value!r} must be text, a number, true or false")
        kept = [value for value in raw if isinstance(value, str | int | float | bool)]
        if len({_family(value) for value in kept}) > 1:
            self.problem(f"{path}.in", "mixes kinds of values", "put all of them in quotes")
        return tuple(dict.fromkeys(value if isinstance(value, str | bool) else float(value) for value in kept))

    def regex(self, found: dict[str, Any], path: str) -> str | None:
        value = found.get("regex")
        if value is None:
            return None
        if not isinstance(value, str):
            self.problem(f"{path}.regex", f"must be text, not {value!r}", "put it in quotes")
            return None
        error = _complaint(value)
        if error:
            self.problem(
                f"{path}.regex", f"is no regular expression: {error}", "RE2 syntax: no look-around, no back references"
            )
        return value


def _complaint(regex: str) -> str:
    """What DuckDB, which will run it, says against the pattern; nothing when it takes it."""
    with duckdb.connect() as con:
        try:
            con.execute("SELECT regexp_matches('', $regex)", {"regex": regex})
        except duckdb.Error as error:
            return str(error).splitlines()[0]
    return ""


def _family(value: object) -> type:
    return bool if isinstance(value, bool) else float if isinstance(value, int | float) else str


def _kind(raw: object) -> str:
    return {list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false"}.get(
        type(raw), type(raw).__name__
    )


def _span(low: float | None, high: float | None) -> str:
    return f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"


def _default(value: float | None, default: float) -> float:
    return default if value is None else value
