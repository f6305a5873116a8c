"""Drift: known answers, no false alarms by chance, the same whatever the order of rows or threads."""

import math
import random

import duckdb
import pytest

from contracts.features import DriftRule
from transforms.drift import chance_psi, measure, psi
from transforms.feature_snapshot import describe

RULE = DriftRule()


def compared(before: str, now: str, rule: DriftRule = RULE, threads: int = 1) -> dict[tuple[str, str], tuple]:
    """Drift between two SELECTs, as {(feature, statistic): (value, threshold, drifted)}."""
    with duckdb.connect(config={"threads": threads}) as con:
        con.execute(f"CREATE TABLE before AS {before}")
        con.execute(f"CREATE TABLE now AS {now}")
        rows = tuple(con.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("before", "now"))
        measure(con, describe(con, "now", ()), "now", "before", rule, "r-1", rows)
        found = con.execute("SELECT feature, statistic, value, threshold, drifted, previous_run FROM drift").fetchall()
    assert all(row[5] == "r-1" for row in found)
    return {(row[0], row[1]): row[2:5] for row in found}


def test_psi_of_a_known_pair():
    # 0.5/0.5 against 0.8/0.2: (0.3) ln(1.6) + (-0.3) ln(0.4)
    known = 0.3 * math.log(0.8 / 0.5) - 0.3 * math.log(0.2 / 0.5)
    assert psi([500_000, 500_000], [800_000, 200_000]) == pytest.approx(known, rel=1e-4)
    assert psi([10, 0, 5], [10, 0, 5]) == 0.0
    assert psi([3, 0], [0, 3]) < math.inf


def test_chance_psi_is_near_the_chi_square_quantile():
    # chi-square with 9 degrees of freedom: 27.877 at 0.999
    assert chance_psi(10, 1000, 1000) == pytest.approx(27.877 * 0.002, rel=0.01)
    assert chance_psi(1, 1000, 1000) == 0.0


def test_equal_runs_do_not_drift():
    same = (
        "SELECT 'p' || i AS profile_id, i % 17 AS n, i * 0.5 AS d, i % 2 = 0 AS b, (['x', 'y'])[1 + i % 2] AS s "
        "FROM range(1000) t(i)"
    )
    found = compared(same, same)
    assert {value for value, _, _ in found.values()} == {0.0}
    assert {feature for feature, _ in found} == {"(table)", "n", "d", "b", "s"}


def test_a_shift_of_a_known_size():
    before = "SELECT 'p' || i AS profile_id, (i % 100)::DOUBLE AS d FROM range(10000) t(i)"
    now = "SELECT 'p' || i AS profile_id, (i % 100)::DOUBLE + 40 AS d FROM range(5000) t(i)"
    found = compared(before, now)
    deviation = math.sqrt((100**2 - 1) / 12)
    assert found["d", "mean"][0] == pytest.approx(40 / deviation, rel=1e-6)
    assert found["d", "mean"][2] and found["d", "psi"][2]
    assert found["d", "missing"][0] == 0.0
    assert found["(table)", "rows"] == (0.5, 0.3, True)


def test_missing_values_and_new_categories():
    before = "SELECT 'p' || i AS profile_id, 'a' AS s, 1 AS n FROM range(1000) t(i)"
    now = (
        "SELECT 'p' || i AS profile_id, CASE WHEN i % 2 = 0 THEN 'b' END AS s, CASE WHEN i % 4 = 0 THEN 1 END AS n "
        "FROM range(1000) t(i)"
    )
    found = compared(before, now)
    assert found["s", "missing"] == (0.5, 0.1, True)
    assert found["n", "missing"] == (0.75, 0.1, True)
    assert found["s", "psi"][2]
    assert not found["n", "psi"][2]


def test_chance_alone_is_no_drift():
    for seed in range(5):
        draw = random.Random(seed)
        sizes = [draw.choice([10, 30, 100]) for _ in range(2)]
        before, now = (
            f"SELECT 'p' || i AS profile_id, hash(i, {seed}, {salt}) % 1000 / 10.0::DOUBLE AS d, "
            f"CASE WHEN hash(i, {seed}, {salt}, 1) % 3 > 0 THEN 'c' || hash(i, {seed}, {salt}, 2) % 5 END AS s "
            f"FROM range({size}) t(i)"
            for salt, size in enumerate(sizes)
        )
        found = compared(before, now)
        assert not [key for key, (_, _, drifted) in found.items() if drifted and key[0] != "(table)"]


def test_infinite_and_huge_values_neither_break_nor_count():
    before = "SELECT 'p' || i AS profile_id, (i % 10)::DOUBLE AS d FROM range(1000) t(i)"
    now = (
        "SELECT 'p' || i AS profile_id, "
        "CASE i WHEN 0 THEN 'inf'::DOUBLE WHEN 1 THEN 'nan'::DOUBLE WHEN 2 THEN 1e308 ELSE i % 10 END AS d "
        "FROM range(1000) t(i)"
    )
    found = compared(before, now)
    assert found["d", "missing"][0] == pytest.approx(0.002)
    assert math.isfinite(found["d", "mean"][0])
    assert not found["d", "psi"][2]


@pytest.mark.parametrize(
    "now", ["SELECT 'p' AS profile_id, 1 AS n, 'a' AS s", "SELECT 'p' AS profile_id, 1 AS n, 'a' AS s WHERE false"]
)
def test_one_row_and_no_row(now):
    found = compared("SELECT 'p' AS profile_id, 1 AS n, 'a' AS s", now)
    assert not [key for key, (_, _, drifted) in found.items() if drifted and key[0] != "(table)"]
    assert compared("SELECT 'p' AS profile_id, 1 AS n, 'a' AS s WHERE false", now) == {}


def test_order_and_threads_change_no_bit():
    body = "SELECT 'p' || i AS profile_id, sqrt(i) * 1e3 AS d, 'c' || (i % 70) AS s FROM range(300000) t(i)"
    one = compared(body, f"SELECT * REPLACE (d * 1.01 AS d) FROM ({body}) ORDER BY hash(profile_id)", threads=1)
    two = compared(
        f"SELECT * FROM ({body}) ORDER BY d DESC", f"SELECT * REPLACE (d * 1.01 AS d) FROM ({body})", threads=4
    )
    assert one == two
