"""Decisions and goals of made-up visitors, as the warehouse has them: drawn as the endpoint draws, with a planted
better arm, set at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import duckdb


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits of one agent. ``rates``: chance of a goal by arm; ``gold`` and ``vip`` are what a session of segment gold,
    or with the feature, adds to it for the last arm. ``skew``: how the log lies about its probabilities.
    """

    agent: str = "home"
    count: int = 4000
    start: datetime = datetime(2026, 3, 1)
    days: int = 10
    rates: tuple[float, ...] = (0.10, 0.20)
    gold: float = 0.0
    vip: float = 0.0
    version: str = "0"
    skew: float = 0.0
    seed: int = 0
    control: float = 0.1
    explore: float = 0.2
    source: str = "api"
    goals: bool = True

    def later(self, days: int, **changes: object) -> Visits:
        """The same some days later, of other sessions."""
        from datetime import timedelta

        return replace(self, start=self.start + timedelta(days=days), seed=self.seed + 1 + days, **changes)  # type: ignore[arg-type]


def add_visits(con: duckdb.DuckDBPyConnection, visits: Visits) -> None:
    """Insert the decisions and accepted goals of ``visits`` into the tables of the warehouse ``con``; all arms have the
    same weight.
    """
    arms = [f"decision-1:{chr(97 + at)}" for at in range(len(visits.rates))]
    c, e, k = visits.control, visits.explore, len(arms)
    probs = [(c if at == 0 else 0.0) + (1 - c) / k for at in range(k)]
    con.execute("CREATE OR REPLACE TEMP TABLE chances AS SELECT unnest($rates) AS rate", {"rates": list(visits.rates)})
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE visits AS
        WITH drawn AS (
            SELECT $agent || '-' || name AS session,
                (hash(name || '-1') % 1000000) / 1e6 AS u, (hash(name || '-2') % 1000000) / 1e6 AS luck,
                (hash(name || '-3') % $k)::INTEGER AS any_arm, hash(name || '-4') % 3 = 0 AS gold,
                hash(name || '-5') % 2 = 0 AS vip, 20 + hash(name || '-7') % 40 AS age,
                hash(name || '-6') % 1000000 < $skew * 1e6 AS lies,
                $start::TIMESTAMP + to_microseconds((i * ($days::DOUBLE * 86400e6 / $count))::BIGINT) AS moment
            FROM (SELECT i, $seed || '-' || i AS name FROM range($count) AS visits(i))
        )
        SELECT *,
            CASE WHEN u < $c THEN 'control' WHEN u < $c + (1 - $c) * $e THEN 'explore' ELSE 'exploit' END AS policy,
            CASE WHEN u < $c OR lies THEN 0 ELSE any_arm END AS arm
        FROM drawn
        """,
        {"agent": visits.agent, "seed": visits.seed, "k": k, "start": visits.start, "days": visits.days,
         "count": visits.count, "c": c, "e": e, "skew": visits.skew},
    )
    con.execute(
        """
        INSERT INTO decisions BY NAME SELECT 'd-' || session AS event_id, 'default' AS owner, $agent AS agent, session,
            epoch_ms(moment) AS epoch, 'point-1' AS point, 'decision-1' AS decision_set, $arms[arm + 1] AS arm,
            $arms AS candidates, $probs AS probs, $probs[arm + 1] AS probability, policy, '' AS requested,
            $version AS version, 'uniform' AS backoff, false AS sticky, 'ok' AS status, true AS live,
            CASE WHEN gold THEN 'gold' ELSE '(none)' END AS segment,
            '{"age":' || age || '.0' || CASE WHEN vip THEN ',"vip":1.0' ELSE '' END || '}' AS features,
            '' AS pattern, 0 AS seq, moment AS ts, moment AS received_ts, false AS ts_given, $source AS source,
            false AS propensity_assumed FROM visits
        """,
        {"agent": visits.agent, "arms": arms, "probs": probs, "version": visits.version, "source": visits.source},
    )
    if visits.goals:
        con.execute(
            """
            INSERT INTO goals BY NAME SELECT 'g-' || session AS event_id, 'default' AS owner, $agent AS agent, session,
                epoch_ms(moment) AS epoch, 'goal-1' AS goal, 1.0 AS reward_sent, 1.0 AS reward_accepted, '' AS reason,
                moment + INTERVAL 1 MINUTE AS ts, moment + INTERVAL 1 MINUTE AS received_ts, false AS ts_given,
                $source AS source
            FROM visits WHERE luck < $rates[arm + 1] + CASE WHEN arm = $last AND gold THEN $gold ELSE 0 END
                + CASE WHEN arm = $last AND vip THEN $vip ELSE 0 END
            """,
            {"agent": visits.agent, "rates": list(visits.rates), "last": k - 1, "gold": visits.gold,
             "vip": visits.vip, "source": visits.source},
        )
    con.execute("DROP TABLE visits")
    con.execute("DROP TABLE chances")
    con.execute("UPDATE warehouse_state SET version = version + 1")
