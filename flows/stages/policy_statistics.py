"""The sums of the night as arrays of one agent, from which its policy is learned and valued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from decisions.arms import stored_arms
from decisions.sample_ratio import SampleRatio, sample_ratio
from flows.stages.agents import AgentDocuments
from models.policies.aa import PLACEBOS, Placebo, placebo_share
from models.policies.cells import AgentStatistics, Cells, PointStatistics
from models.policies.exposures import NO_ARM, Contexts, Exposures
from models.policies.indicators import FeatureValues, Indicators, choose
from transforms.decisions import TONIGHT, Indicator

Place = tuple[str, str]
"""Point and decision set."""
_CONTEXT = "v.point, v.decision_set, v.segment, v.pattern, v.serving_pattern, v.candidates"


def choose_indicators(
    con: duckdb.DuckDBPyConnection, documents: AgentDocuments
) -> dict[tuple[str, str], Indicators]:
    """The indicators of tonight by agent and point, from ``decision_feature_values``."""
    totals = {
        (agent, point): int(exposures)
        for agent, point, exposures in con.execute(
            "SELECT agent, point, sum(exposures) FROM decision_feature_sets GROUP BY agent, point ORDER BY ALL"
        ).fetchall()
    }
    found = {}
    for (agent, point), exposures in totals.items():
        known = documents.agents.get(agent)
        seen = _feature_values(con, agent, point)
        found[agent, point] = choose(seen, exposures, known.targeting.features if known else ())
    return found


def indicator_rows(agent: str, point: str, made: str, chosen: Indicators) -> list[Indicator]:
    """Indicators as the encoding of sets of features joins them; each stands with the feature that it comes from."""
    features = {one.code: one for one in chosen.features}
    return [
        Indicator(agent, point, made, name, features[name if name in features else name.rpartition("~")[0]])
        for name in chosen.names
    ]


def _feature_values(con: duckdb.DuckDBPyConnection, agent: str, point: str) -> list[FeatureValues]:
    rows = con.execute(
        "SELECT code, list(value ORDER BY value) AS values, list(exposures ORDER BY value) AS counts "
        "FROM decision_feature_values WHERE agent = $agent AND point = $point GROUP BY code ORDER BY code",
        {"agent": agent, "point": point},
    ).fetchall()
    return [
        FeatureValues(code, np.array(values, dtype=np.float64), np.array(counts, dtype=np.int64))
        for code, values, counts in rows
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One agent's window. ``ratios``: sample-ratio tests by name, of the version asked for; ``tables``: the counts
    behind them.
    """

    statistics: AgentStatistics
    exposures: Exposures
    ratios: Mapping[str, SampleRatio]
    tables: Sequence[Mapping[str, Any]]
    placebo: Placebo

    @property
    def places(self) -> list[Place]:
        """Point and decision set of each part of the statistics."""
        return [(one.point, one.decision_set) for one in self.statistics.points]


def read_agent(
    con: duckdb.DuckDBPyConnection, agent: str, binary: bool, assumed: bool, documents: AgentDocuments,
    indicators: Mapping[tuple[str, str], Indicators], version: str,
) -> Seen:
    """Everything that an agent's policy is learned from and judged by; ``version`` is the one that serves."""
    arms = _arms(con, agent, documents)
    _know_arms(con, arms)
    points = tuple(
        _point(con, agent, place, found, indicators.get((agent, place[0]), Indicators((), ())))
        for place, found in arms.items()
    )
    statistics = AgentStatistics(points, binary)
    tables = _ratios(con, agent, version)
    ratios = {table["name"]: sample_ratio(table["observed"], table["expected"]) for table in tables}
    told = [table | {"statistic": ratios[table["name"]].statistic, "df": ratios[table["name"]].freedom,
                     "pValue": ratios[table["name"]].p_value, "passed": ratios[table["name"]].passed}
            for table in tables]
    return Seen(statistics, _exposures(con, agent, statistics, assumed), ratios, told, _placebo(con, agent))


def _arms(con: duckdb.DuckDBPyConnection, agent: str, documents: AgentDocuments) -> dict[Place, list[str]]:
    """Arms of every decision set that has any, in their order."""
    rows = con.execute(
        "SELECT point, decision_set, list(arm ORDER BY place, arm), "
        "coalesce(list(arm ORDER BY place, arm) FILTER (of_file), []) FROM decision_arms WHERE agent = $agent "
        "GROUP BY point, decision_set ORDER BY point, decision_set",
        {"agent": agent},
    ).fetchall()
    found = {
        (point, names): stored_arms(documents.point(agent, point), names, logged, of_files)
        for point, names, logged, of_files in rows
    }
    return {place: arms for place, arms in found.items() if arms}


def _know_arms(con: duckdb.DuckDBPyConnection, arms: Mapping[Place, Sequence[str]]) -> None:
    """Make temp table ``known_arms`` of one agent: the place of each arm."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE known_arms (point VARCHAR, decision_set VARCHAR, arm VARCHAR, place INTEGER)"
    )
    rows = [[point, names, arm, at] for (point, names), found in arms.items() for at, arm in enumerate(found)]
    if rows:
        con.executemany("INSERT INTO known_arms VALUES (?, ?, ?, ?)", rows)


def _point(
    con: duckdb.DuckDBPyConnection, agent: str, place: Place, arms: Sequence[str], chosen: Indicators
) -> PointStatistics:
    rows = _columns(
        con,
        "SELECT segment, pattern, a.place AS arm, fold, half, n, goals, w, w2, s1, s2 FROM decision_cells "
        "JOIN known_arms AS a USING (point, decision_set, arm) "
        "WHERE agent = $agent AND point = $point AND decision_set = $names ORDER BY ALL",
        {"agent": agent, "point": place[0], "names": place[1]},
    )
    segments, segment = _numbered(rows["segment"])
    patterns, pattern = _numbered(rows["pattern"])
    arm, fold, half, n, goals = (rows[name].astype(np.int64) for name in ("arm", "fold", "half", "n", "goals"))
    w, w2, s1, s2 = (rows[name].astype(np.float64) for name in ("w", "w2", "s1", "s2"))
    cells = Cells(segment, pattern, arm, fold, half, n, goals, w, w2, s1, s2)
    return PointStatistics(
        place[0], place[1], tuple(arms), 0, segments, patterns, cells, chosen.names, chosen.features
    )


def _numbered(texts: NDArray[Any]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Distinct texts in their order, and the place of each among them."""
    if not len(texts):
        return (), np.zeros(0, dtype=np.int64)
    names, places = np.unique(np.asarray(texts, dtype=np.str_), return_inverse=True)
    return tuple(names.tolist()), places.astype(np.int64)


def _exposures(
    con: duckdb.DuckDBPyConnection, agent: str, statistics: AgentStatistics, assumed: bool
) -> Exposures:
    places = {(one.point, one.decision_set): at for at, one in enumerate(statistics.points)}
    rows = (
        "FROM decision_valued AS v SEMI JOIN known_arms AS k ON k.point = v.point AND k.decision_set = v.decision_set "
        "LEFT JOIN known_arms AS a ON a.point = v.point AND a.decision_set = v.decision_set AND a.arm = v.arm "
        "WHERE v.agent = $agent"
    )
    contexts = con.execute(f"SELECT DISTINCT {_CONTEXT} {rows} ORDER BY {_CONTEXT}", {"agent": agent}).fetchall()
    found = _columns(
        con,
        f"SELECT dense_rank() OVER (ORDER BY {_CONTEXT}) - 1 AS context, coalesce(a.place, {NO_ARM}) AS arm, "
        f"v.probability, v.value, v.fold, v.half, v.n {rows} ORDER BY ALL",
        {"agent": agent},
    )
    at = np.array([places[point, names] for point, names, *_ in contexts], dtype=np.int64)
    orders = [{arm: place for place, arm in enumerate(one.arms)} for one in statistics.points]
    able = np.zeros((len(contexts), max((len(one.arms) for one in statistics.points), default=0)), dtype=np.bool_)
    for row, (*_, candidates) in enumerate(contexts):
        able[row, [orders[at[row]][arm] for arm in candidates if arm in orders[at[row]]]] = True
    return Exposures(
        Contexts(at, tuple(one[2] for one in contexts), tuple(one[3] for one in contexts), able,
                 tuple(one[4] for one in contexts)),
        found["context"].astype(np.int64), found["arm"].astype(np.int64), found["probability"].astype(np.float64),
        found["value"].astype(np.float64), found["fold"].astype(np.int64), found["half"].astype(np.int64),
        found["n"].astype(np.int64), assumed,
    )


def _ratios(con: duckdb.DuckDBPyConnection, agent: str, version: str) -> list[dict[str, Any]]:
    """Counts and expectations of the version's exposures, by arm and by cell, of every point and decision set."""
    given = {"agent": agent, "version": version}
    found = [
        {"name": f"arms of {point}, {names}", "point": point, "decisionSet": names, "version": version, "cells": cells,
         "observed": observed, "expected": expected}
        for point, names, cells, observed, expected in con.execute(
            "SELECT point, decision_set, list(arm ORDER BY arm), list(observed ORDER BY arm), "
            "list(expected ORDER BY arm) FROM decision_ratios WHERE agent = $agent AND version = $version "
            "GROUP BY point, decision_set ORDER BY point, decision_set",
            given,
        ).fetchall()
    ]
    splits = con.execute(
        "SELECT point, decision_set, [control, explore, exploit], [expected_control, expected_explore, "
        "expected_exploit] FROM decision_splits WHERE agent = $agent AND version = $version ORDER BY ALL",
        given,
    ).fetchall()
    return found + [
        {"name": f"cells of {point}, {names}", "point": point, "decisionSet": names, "version": version,
         "cells": ["control", "explore", "exploit"], "observed": observed, "expected": expected}
        for point, names, observed, expected in splits
    ]


def _placebo(con: duckdb.DuckDBPyConnection, agent: str) -> Placebo:
    rows = _columns(
        con,
        "SELECT r, label::INTEGER AS label, n, total, squares FROM decision_placebos WHERE agent = $agent",
        {"agent": agent},
    )
    count, total, squares = (np.zeros((PLACEBOS, 2)) for _ in range(3))
    at = (rows["r"].astype(np.int64) - 1, rows["label"].astype(np.int64))
    for held, name in ((count, "n"), (total, "total"), (squares, "squares")):
        held[at] = rows[name]
    counted = con.execute(
        "SELECT coalesce(sum(exposures), 0) FROM decision_counts WHERE agent = $agent AND policy = 'explore'",
        {"agent": agent},
    ).fetchone()
    return Placebo(int(counted[0]) if counted else 0, placebo_share(count, total, squares))


def _columns(con: duckdb.DuckDBPyConnection, query: str, given: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Columns of a result without nulls."""
    found = con.execute(query, dict(given)).fetchnumpy()
    return {name: np.asarray(values) for name, values in found.items()}


def tonight(indicators: Mapping[tuple[str, str], Indicators]) -> list[Indicator]:
    """The indicators of tonight as rows."""
    return [
        row for (agent, point), chosen in indicators.items() for row in indicator_rows(agent, point, TONIGHT, chosen)
    ]
