"""The suite: every check of a night, made from the operator's rules, from the features themselves and from the last
published run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.features import FeatureRule, FeatureSpec, Severity
from contracts.published import TABLE_BY_NAME
from transforms.feature_snapshot import KEY, Feature, TypeColumns, literal, plain_name, sql_type
from transforms.learned import Learned
from transforms.quoting import identifier

TABLE = "(table)"
_LEARNED_MOSTLY = 0.99


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation.

    ``fails`` is SQL over the snapshot, true for a row at fault (empty for a rule of the whole table). ``flag`` is SQL
    for a further boolean column ``column`` of the snapshot where Great Expectations has no native form of the rule:
    true, false, or NULL where the rule has nothing to look at. ``kind`` and ``arguments`` name the expectation;
    ``verdict`` is given instead where the schema decides.
    """

    name: str
    feature: str
    rule: str
    severity: Severity
    expected: str
    value: str = ""
    fails: str = ""
    column: str = ""
    flag: str = ""
    kind: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    mostly: float = 1.0
    verdict: bool | None = None
    observed: str = ""

    def fails_in(self, snapshot: str) -> str:
        """``fails`` as a condition on rows of ``snapshot``. Of ``unique`` it is the value that must not repeat."""
        if self.kind != "unique":
            return self.fails
        return f"{self.fails} IN (SELECT {self.fails} FROM {snapshot} GROUP BY {self.fails} HAVING count(*) > 1)"


@dataclass(frozen=True, slots=True)
class Suite:
    """All checks of a night. ``typed`` is what ``feature_snapshot.select`` needs for the types of properties."""

    checks: tuple[Check, ...]
    typed: dict[str, TypeColumns]

    @property
    def flags(self) -> tuple[Check, ...]:
        """Checks that need a further column in the snapshot."""
        return tuple(check for check in self.checks if check.flag)


def build_suite(features: Sequence[Feature], spec: FeatureSpec, learned: Learned | None = None) -> Suite:
    """Checks in a fixed order: the table, then feature by feature. What the operator asks of a feature replaces what
    is checked by default.
    """
    builder = _Builder({feature.column.lower() for feature in features})
    rules = {rule.name: rule for rule in spec.features}
    checks = list(builder.table(spec, learned))
    for feature in features:
        checks += builder.feature(feature, rules.get(feature.name), learned if spec.learned else None)
    known = {feature.name for feature in features}
    checks += [_absent(rule) for rule in spec.features if rule.name not in known]
    return Suite(tuple(checks), builder.typed)


def _absent(rule: FeatureRule) -> Check:
    """A rule on a feature that no profile has. Every profile is at fault where it is required."""
    return Check(
        _name(rule.name, "exists"),
        rule.name,
        "exists",
        rule.severity if rule.required else "warn",
        "a feature of that name",
        fails="TRUE" if rule.required else "",
        verdict=False,
        observed="no such feature",
    )


def _name(feature: str, rule: str) -> str:
    return f"{feature}: {rule}"


class _Builder:
    """Makes the checks of one suite; keeps the names of further columns apart."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        self.typed: dict[str, TypeColumns] = {}

    def table(self, spec: FeatureSpec, learned: Learned | None) -> Iterator[Check]:
        rule = spec.table
        if rule.min_rows is not None or rule.max_rows is not None:
            yield Check(
                _name(TABLE, "row_count"),
                TABLE,
                "row_count",
                rule.severity,
                _between(rule.min_rows, rule.max_rows) + " profiles",
                kind="row_count",
                arguments={"min_value": rule.min_rows, "max_value": rule.max_rows},
            )
        if rule.max_drop is not None and learned is not None and learned.rows:
            least = math.ceil(round(learned.rows * (1 - rule.max_drop), 6))
            yield Check(
                _name(TABLE, "row_drop"),
                TABLE,
                "row_drop",
                rule.severity,
                f"at least {least} profiles (the last run had {learned.rows}, max_drop is {rule.max_drop:g})",
                kind="row_count",
                arguments={"min_value": least, "max_value": None},
            )

    def feature(self, feature: Feature, given: FeatureRule | None, learned: Learned | None) -> Iterator[Check]:
        rule = given or FeatureRule(feature.name)
        yield from self.type(feature, rule)
        yield from self.missing(feature, rule)
        yield from self.unique(feature, rule)
        yield from self.finite(feature, rule)
        yield from self.range(feature, rule)
        yield from self.set(feature, rule)
        yield from self.regex(feature, rule)
        if learned is not None and feature.name != KEY:
            yield from self.learned(feature, rule, learned)

    def type(self, feature: Feature, rule: FeatureRule) -> Iterator[Check]:
        if feature.parent:
            kind = rule.type or feature.kind
            flag, raw = (plain_name(f"{feature.column}__{name}", self.taken) for name in ("type", "raw"))
            self.typed[feature.name] = TypeColumns(flag, raw, kind)
            severity: Severity = rule.severity if rule.type else "quarantine"
            made = self.by_flag(feature, rule, "type", kind, identifier(flag), column=flag, severity=severity)
            yield replace(made, value=identifier(raw))
            return
        contract = {column.name: column.type for column in TABLE_BY_NAME["profile_features"].columns}.get(feature.name)
        if contract is not None:
            yield self.by_schema(
                feature, "type" if rule.type is None else "schema", "block", contract, feature.described == contract
            )
        if rule.type == "integer" and feature.kind == "number":
            value = identifier(feature.column)
            whole = f"{value} = floor({value}) AND isfinite({value})"
            yield self.by_flag(feature, rule, "type", "integer", whole)
        elif rule.type is not None:
            fits = rule.type == feature.kind or (rule.type, feature.kind) == ("number", "integer")
            yield self.by_schema(feature, "type", rule.severity, rule.type, fits)

    def by_schema(self, feature: Feature, rule: str, severity: Severity, expected: str, fits: bool) -> Check:
        value = identifier(feature.column)
        return Check(
            _name(feature.name, rule),
            feature.name,
            rule,
            severity,
            expected,
            value=value,
            fails="" if fits else f"{value} IS NOT NULL",
            verdict=fits,
            observed=feature.described,
        )

    def missing(self, feature: Feature, rule: FeatureRule) -> Iterator[Check]:
        key = feature.name == KEY
        asked = rule.required or rule.max_missing is not None
        if not asked and not key and (feature.parent or feature.base not in {"integer", "boolean"}):
            return
        mostly = round(1 - (rule.max_missing or 0.0), 12)
        severity: Severity = "block" if key else rule.severity if asked else "quarantine"
        name = "required" if mostly == 1 else "max_missing"
        value = identifier(feature.column)
        yield Check(
            _name(feature.name, name),
            feature.name,
            name,
            severity,
            "a value in every profile" if mostly == 1 else f"missing in at most {rule.max_missing:.4%} of the profiles",
            value=value,
            fails=f"{value} IS NULL",
            column=feature.column,
            kind="not_null",
            mostly=mostly,
        )

    def unique(self, feature: Feature, rule: FeatureRule) -> Iterator[Check]:
        key = feature.name == KEY
        if not rule.unique and not key:
            return
        value = identifier(feature.column)
        yield Check(
            _name(feature.name, "unique"),
            feature.name,
            "unique",
            "block" if key else rule.severity,
            "no value twice",
            value=value,
            fails=value,
            column=feature.column,
            kind="unique",
        )

    def finite(self, feature: Feature, rule: FeatureRule) -> Iterator[Check]:
        if not feature.parent and feature.kind == "number":
            yield self.by_flag(
                feature,
                replace(rule, mostly=1.0),
                "finite",
                "a finite number",
                f"isfinite({identifier(feature.column)})",
                severity="quarantine",
            )

    def range(self, feature: Feature, rule: FeatureRule) -> Iterator[Check]:
        if rule.minimum is not None or rule.maximum is not None:
            yield self.between(feature, rule, "range", rule.minimum, rule.maximum)
        elif not feature.parent and feature.kind == "integer":
            yield self.between(feature, replace(rule, severity="quarantine", mostly=1.0), "range", 0.0, None)

    def between(self, feature: Feature, rule: FeatureRule, name: str, low: float | None, high: float | None) -> Check:
        expected = _between(low, high)
        if feature.kind not in {"integer", "number"}:
            return self.by_flag(
                feature, rule, name, expected, self.every(feature, "number", lambda value: _inside(value, low, high))
            )
        value = identifier(feature.column)
        return Check(
            _name(feature.name, name),
            feature.name,
            name,
            rule.severity,
            expected,
            value=value,
            fails=f"NOT ({_inside(value, low, high)})",
            column=feature.column,
            kind="between",
            arguments={"min_value": low, "max_value": high},
            mostly=rule.mostly,
        )

    def set(self, feature: Feature, rule: FeatureRule, name: str = "in") -> Iterator[Check]:
        if not rule.values:
            return
        kind = (
            "boolean" if isinstance(rule.values[0], bool) else "string" if isinstance(rule.values[0], str) else "number"
        )
        among = f"({', '.join(literal(value) for value in rule.values)})"
        expected = "one of " + ", ".join(_shown(value) for value in rule.values)
        if feature.is_list or (feature.kind != kind and (feature.kind, kind) != ("integer", "number")):
            yield self.by_flag(
                feature, rule, name, expected, self.every(feature, kind, lambda value: f"{value} IN {among}")
            )
            return
        value = identifier(feature.column)
        yield Check(
            _name(feature.name, name),
            feature.name,
            name,
            rule.severity,
            expected,
            value=value,
            fails=f"{value} NOT IN {among}",
            column=feature.column,
            kind="in_set",
            arguments={"value_set": list(rule.values)},
            mostly=rule.mostly,
        )

    def regex(self, feature: Feature, rule: FeatureRule) -> Iterator[Check]:
        # Great Expectations refuses regular expressions on DuckDB, so DuckDB's own engine decides.
        if rule.regex is not None:
            pattern = literal(rule.regex)
            matches = self.every(feature, "string", lambda value: f"regexp_matches({value}, {pattern})")
            yield self.by_flag(feature, rule, "regex", f"matches {rule.regex}", matches)

    def learned(self, feature: Feature, rule: FeatureRule, learned: Learned) -> Iterator[Check]:
        warn = replace(rule, severity="warn", mostly=_LEARNED_MOSTLY)
        bounds = learned.ranges.get(feature.name)
        if bounds is not None and rule.minimum is None and rule.maximum is None and not rule.values:
            yield self.between(feature, warn, "learned_range", *bounds)
        values = learned.values.get(feature.name)
        if values and not rule.values and rule.regex is None:
            yield from self.set(feature, replace(warn, values=values), "learned_set")

    def every(self, feature: Feature, kind: str, condition: Any) -> str:
        """SQL: whether the value, or every element of a list, can be read as ``kind`` and keeps ``condition``."""
        value = identifier(feature.column)
        target = sql_type(kind)
        if feature.is_list:
            inner = f"coalesce({condition(f'TRY_CAST(e AS {target})')}, FALSE)"
            present = f"list_filter({value}, lambda e: e IS NOT NULL)"
            return f"coalesce(list_bool_and(list_transform({present}, lambda e: {inner})), TRUE)"
        return f"coalesce({condition(f'TRY_CAST({value} AS {target})')}, FALSE)"

    def by_flag(
        self,
        feature: Feature,
        rule: FeatureRule,
        name: str,
        expected: str,
        condition: str,
        *,
        column: str = "",
        severity: Severity | None = None,
    ) -> Check:
        """A check through a boolean column; given ``column``, that column is already in the snapshot."""
        flag = "" if column else f"CASE WHEN {identifier(feature.column)} IS NOT NULL THEN {condition} END"
        column = column or plain_name(f"{feature.column}__{name}", self.taken)
        return Check(
            _name(feature.name, name),
            feature.name,
            name,
            severity or rule.severity,
            expected,
            value=identifier(feature.column),
            fails=f"NOT {identifier(column)}",
            column=column,
            flag=flag,
            kind="in_set",
            arguments={"value_set": [True]},
            mostly=rule.mostly,
        )


def _inside(value: str, low: float | None, high: float | None) -> str:
    parts = ([f"{value} >= {literal(low)}"] if low is not None else []) + (
        [f"{value} <= {literal(high)}"] if high is not None else []
    )
    return " AND ".join(parts)


def _between(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {_shown(high)}"
    return f"at least {_shown(low)}" if high is None else f"{_shown(low)} to {_shown(high)}"


def _shown(value: str | float | bool | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.12g}" if isinstance(value, int | float) else str(value)


def severities(checks: Iterable[Check], severity: Severity) -> tuple[str, ...]:
    """Names of the checks of one severity."""
    return tuple(check.name for check in checks if check.severity == severity)
