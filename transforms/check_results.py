"""Results of a night's checks as tables: ``checks``, ``check_failures`` with every failing profile,
``quarantined_profiles``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from contracts.errors import NightloomError
from contracts.features import Severity
from contracts.published import TABLE_BY_NAME
from transforms.expectations import Verdict
from transforms.feature_snapshot import KEY
from transforms.suite import TABLE, Check

_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One row of table ``checks``."""

    expectation: str
    column_name: str
    rule: str
    severity: Severity
    passed: bool
    rows_checked: int
    rows_failed: int
    observed: str
    expected: str


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create (or empty) ``checks`` and ``check_failures`` with exactly the published columns."""
    for name in ("checks", "check_failures"):
        columns = ", ".join(f"{column.name} {column.type}" for column in TABLE_BY_NAME[name].columns)
        con.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")


def record(
    con: duckdb.DuckDBPyConnection, snapshot: str, checks: Sequence[Check], verdicts: Mapping[str, Verdict]
) -> tuple[CheckResult, ...]:
    """Fill ``checks``, and ``check_failures`` with all profiles against each failed expectation.

    ``snapshot`` is the relation that was validated. The profiles come from the check's own SQL, inside DuckDB,
    however many they are; where it disagrees with the verdict about their number, neither can be trusted and
    ``NightloomError`` is raised. An expectation that passed because it tolerates some failures (``mostly``,
    ``max_missing``) lists none.
    """
    rows = count(con, snapshot)
    results = tuple(_result(con, snapshot, rows, check, verdicts.get(check.name)) for check in checks)
    if results:
        marks = ", ".join("?" * len(TABLE_BY_NAME["checks"].columns))
        con.executemany(f"INSERT INTO checks VALUES ({marks})", [_row(result) for result in results])
    return results


def count(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Rows of ``relation``."""
    return _one(con, f"SELECT count(*) FROM {relation}")


def quarantine(con: duckdb.DuckDBPyConnection) -> int:
    """Create ``quarantined_profiles(profile_id, expectation)`` from ``check_failures``; returns the number of
    profiles.
    """
    con.execute(
        "CREATE OR REPLACE TABLE quarantined_profiles AS "
        "SELECT profile_id, expectation FROM check_failures WHERE severity = 'quarantine' ORDER BY ALL"
    )
    return _one(con, "SELECT count(DISTINCT profile_id) FROM quarantined_profiles")


def _result(
    con: duckdb.DuckDBPyConnection, snapshot: str, rows: int, check: Check, verdict: Verdict | None
) -> CheckResult:
    passed = verdict.passed if verdict is not None else bool(check.verdict)
    failed = verdict.rows_failed if verdict is not None else 0
    fails = check.fails_in(snapshot)
    if fails and not passed:
        listed = _one(con, f"SELECT count(*) FROM {snapshot} WHERE {fails}")
        if verdict is not None and listed != failed:
            raise NightloomError(
                f"the check {check.name!r} counted {failed} rows, its own SQL {listed}",
                hint="nothing is known about the data; this is a fault of nightloom, report it",
            )
        failed = listed
        _list(con, snapshot, check, fails)
    observed = check.observed or _observed(con, snapshot, check, fails, verdict, failed)
    return CheckResult(
        expectation=check.name,
        column_name="" if check.feature == TABLE else check.feature,
        rule=check.rule,
        severity=check.severity,
        passed=passed,
        rows_checked=verdict.rows_checked if verdict is not None else rows,
        rows_failed=failed,
        observed=observed,
        expected=check.expected
        if check.mostly == 1 or check.rule == "max_missing"
        else f"{check.expected}, for at least {check.mostly:.4g}",
    )


def _list(con: duckdb.DuckDBPyConnection, snapshot: str, check: Check, fails: str) -> None:
    """Add every failing profile once, with its value (the least where an id repeats)."""
    value = f"min({_text(check.value)})" if check.value else "NULL"
    con.execute(
        f"INSERT INTO check_failures SELECT $expectation, coalesce({KEY}, ''), {value}, $severity "
        f"FROM {snapshot} WHERE {fails} GROUP BY {KEY} ORDER BY {KEY}",
        {"expectation": check.name, "severity": check.severity},
    )


def _observed(
    con: duckdb.DuckDBPyConnection, snapshot: str, check: Check, fails: str, verdict: Verdict | None, failed: int
) -> str:
    """What was seen, in words: the commonest offending values of a failed check."""
    checked = verdict.rows_checked if verdict is not None else 0
    if check.kind == "row_count":
        return f"{checked} profiles"
    if failed == 0:
        return "nothing to look at" if checked == 0 else f"all {checked}"
    seen = f"{failed} of {checked} against it"
    if not fails or not check.value or check.kind == "not_null":
        return seen
    examples = con.execute(
        f"SELECT left({_text(check.value)}, 40), count(*) FROM {snapshot} WHERE {fails} "
        f"GROUP BY {check.value} ORDER BY 2 DESC, 1 LIMIT {_EXAMPLES}"
    ).fetchall()
    shown = ", ".join(f"{value} ({count}x)" if count > 1 else str(value) for value, count in examples)
    return f"{seen}: {shown}" + (" ..." if sum(count for _, count in examples) < failed else "")


def _text(value: str) -> str:
    """SQL for a value as text; 72.0 reads 72."""
    return f"regexp_replace(CAST({value} AS VARCHAR), '\\.0$', '')"


def _row(result: CheckResult) -> list[object]:
    return [getattr(result, column.name) for column in TABLE_BY_NAME["checks"].columns]


def _one(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    assert row is not None
    return int(row[0])
