"""Loads decision and goal logs from files into the warehouse (decision contract, section 13), set at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from contracts.errors import DropRefused
from decisions.agent import DEFAULT_TIMEOUT, Agent
from decisions.codes import CODE, FEATURE, FEATURES_OF_A_SESSION, NO_SEGMENT, NUMBER, REFUSED_AGENTS, SESSION
from transforms import cells
from transforms.decision_log_mapping import FIELDS, NEEDED, DecisionLog
from transforms.quoting import identifier, text_literal

MOST_REJECTED = 0.01
"""Share of rejected rows above which nothing of a file is loaded."""
NEAR = 1e-6


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a log: rows in it, rows that were new, rows known before, rows rejected; and a word about it."""

    rows: int
    loaded: int
    already: int
    rejected: int
    message: str = ""


def load_log(
    con: duckdb.DuckDBPyConnection, log: DecisionLog, path: Path, content_hash: str, owner: str,
    agents: Iterable[Agent], now: datetime,
) -> Loaded:
    """Load one file inside the caller's transaction; its rejected rows go to ``decision_rejects`` under the file's
    ``path`` and hash. Raises ``DropRefused`` when it cannot be read, lacks a column, or when more than 1 % of its rows
    are rejected.
    """
    _know_agents(con, agents)
    mapped = _read(con, log, path)
    kind = _Decisions if log.log == "decisions" else _Goals
    loader = kind(con, log, mapped, content_hash, owner, now)
    loader.judge()
    rows, rejected = _counted(con)
    if rejected > MOST_REJECTED * rows:
        raise DropRefused(f"{rejected} of {rows} rows cannot be used: {_reasons(con)}", rule="rejected_rows",
                          hint="at most 1 % may be")
    con.execute(
        "INSERT INTO decision_rejects SELECT $file, $hash, line, reason, to_json(r)::VARCHAR, $now FROM log_rejects "
        "JOIN log_rows AS r USING (line)",
        {"file": path.name, "hash": content_hash, "now": now},
    )
    loaded = loader.insert()
    for name in ("log_rows", "log_rejects", "log_agents", "log_goals", "log_arms"):
        con.execute(f"DROP TABLE IF EXISTS {name}")
    return Loaded(rows, loaded, rows - rejected - loaded, rejected, loader.message)


def _know_agents(con: duckdb.DuckDBPyConnection, agents: Iterable[Agent]) -> None:
    """Make temp tables of the agents' time-outs, goals and stored arms of single decisions."""
    con.execute("CREATE OR REPLACE TEMP TABLE log_agents (agent VARCHAR, timeout BIGINT, stopped BOOLEAN)")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE log_goals (agent VARCHAR, goal VARCHAR, least DOUBLE, most DOUBLE, usual DOUBLE, "
        "most_times INTEGER)"
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE log_arms (agent VARCHAR, point VARCHAR, decision_set VARCHAR, arm VARCHAR, "
        "place INTEGER)"
    )
    for agent in agents:
        con.execute("INSERT INTO log_agents VALUES (?, ?, ?)",
                    [agent.code, agent.settings.timeout, agent.status == "stopped"])
        for goal in agent.goals:
            con.execute("INSERT INTO log_goals VALUES (?, ?, ?, ?, ?, ?)",
                        [agent.code, goal.code, goal.min, goal.max, goal.default, goal.limit])
        arms = [
            [agent.code, point.code, decision.code, f"{decision.code}:{choice}", at]
            for point in agent.points for decision in point.decisions for at, choice in enumerate(decision.codes())
        ]
        if arms:
            con.executemany("INSERT INTO log_arms VALUES (?, ?, ?, ?, ?)", arms)


def _read(con: duckdb.DuckDBPyConnection, log: DecisionLog, path: Path) -> frozenset[str]:
    """Make ``log_rows``: line, and our columns as texts (lists joined by |); returns those that the file has."""
    if path.suffix == ".parquet" or path.name.endswith(".parquet"):
        source = f"read_parquet({text_literal(str(path))})"
    else:
        more = f", delim = {text_literal(log.delimiter)}" if log.delimiter else ""
        source = f"read_csv({text_literal(str(path))}, all_varchar = true, header = true{more})"
    try:
        names = [row[0] for row in con.execute(f"DESCRIBE FROM {source}").fetchall()]
        given = dict(log.columns) if log.columns or log.constants else {
            name: identifier(name) for name in FIELDS[log.log] if name in names
        }
        missing = [name for name in NEEDED[log.log] if name not in given and name not in dict(log.constants)]
        missing += [name for name in log.features if name not in names]
        if missing:
            raise DropRefused(f"the file has no column {', '.join(missing)}", rule="missing_column",
                              hint="name it in definitions/decision_logs/*.yaml")
        parts = [f"{sql} AS {name}" for name, sql in given.items()]
        parts += [f"{text_literal(value)} AS {name}" for name, value in log.constants]
        parts += [f"{identifier(name)}::VARCHAR AS {identifier(f'feature {at}')}" for at, name in
                  enumerate(log.features)]
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE log_rows AS SELECT row_number() OVER () AS line, {', '.join(parts)} "
            f"FROM {source}"
        )
        kinds = {row[0]: row[1] for row in con.execute("DESCRIBE log_rows").fetchall()}
        shown = [
            f"{name} REPLACE" if name == "line" else
            f"array_to_string({identifier(name)}::VARCHAR[], '|') AS {identifier(name)}" if kind.endswith("[]") else
            f"nullif(trim({identifier(name)}::VARCHAR), '') AS {identifier(name)}"
            for name, kind in kinds.items() if name != "line"
        ]
        rest = [f"NULL::VARCHAR AS {name}" for name in FIELDS[log.log] if name not in kinds]
        con.execute(f"CREATE OR REPLACE TEMP TABLE log_rows AS SELECT line, {', '.join(shown + rest)} FROM log_rows")
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.BinderException, duckdb.ConversionException,
            duckdb.CatalogException) as error:
        raise DropRefused(f"the file cannot be read: {str(error).splitlines()[0]}", rule="unreadable") from error
    return frozenset(kinds)


def _counted(con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    row = con.execute(
        "SELECT (SELECT count(*) FROM log_rows), (SELECT count(*) FROM log_rejects)"
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _reasons(con: duckdb.DuckDBPyConnection) -> str:
    rows = con.execute(
        "SELECT reason, count(*), min(line) FROM log_rejects GROUP BY reason ORDER BY count(*) DESC, reason LIMIT 5"
    ).fetchall()
    return "; ".join(f"{reason} ({count}, first on row {line})" for reason, count, line in rows)


def moment(text: str) -> str:
    """SQL of a time: ISO 8601, UTC without a zone, or epoch seconds; NULL when it is none."""
    seconds = f"make_timestamp((TRY_CAST({text} AS DECIMAL(20, 6)) * 1000000)::BIGINT)"
    # Whole seconds by the house's own rule, and the fraction beside it.
    iso = f"regexp_replace(replace({text}, ',', '.'), '([0-9]:[0-9]{{2}}:[0-9]{{2}})[.][0-9]+', '\\1')"
    fraction = f"regexp_extract({text}, '[0-9]:[0-9]{{2}}:[0-9]{{2}}[.,]([0-9]+)', 1)"
    whole = cells.time("iso").replace("iso", f"({iso})")
    micros = f"to_microseconds(coalesce(TRY_CAST(rpad(left({fraction}, 6), 6, '0') AS BIGINT), 0))"
    return (
        f"CASE WHEN regexp_full_match({text}, '[0-9]{{1,11}}([.][0-9]*)?') THEN {seconds} "
        f"WHEN regexp_full_match({text}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') THEN TRY_CAST({text} AS TIMESTAMP) "
        f"ELSE {whole} + {micros} END"
    )


class _Log:
    """What both kinds of log have in common."""

    message = ""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, log: DecisionLog, mapped: frozenset[str], content_hash: str, owner: str,
        now: datetime,
    ) -> None:
        self.con, self.log, self.mapped, self.owner, self.now = con, log, mapped, owner, now
        self.minted = f"'f' || {text_literal(content_hash[:32])} || '-' || line"

    def common(self) -> str:
        """Columns that every row has, and the faults in them."""
        return (
            f"line, coalesce(owner, {text_literal(self.owner)}) AS owner, agent, {moment('ts')} AS ts, "
            f"coalesce(event_id, {self.minted}) AS event_id, TRY_CAST(epoch AS BIGINT) AS epoch, "
            "CASE "
            f"WHEN agent IS NULL OR NOT {_is_code('agent')} OR agent IN ({_listed(sorted(REFUSED_AGENTS))}) "
            "THEN 'agent is no code' "
            f"WHEN owner IS NOT NULL AND owner <> {text_literal(self.owner)} THEN 'owner is another one' "
            f"WHEN {moment('ts')} IS NULL THEN 'ts is no time' "
            "WHEN epoch IS NOT NULL AND TRY_CAST(epoch AS BIGINT) IS NULL THEN 'epoch is no whole number' "
            f"WHEN session IS NOT NULL AND NOT regexp_full_match(session, {text_literal(SESSION.pattern)}) "
            "THEN 'session is no session id' END AS fault"
        )

    def execute(self, query: str) -> int:
        """Run a statement; rows that it touched."""
        row = self.con.execute(query).fetchone()
        return int(row[0]) if row else 0


class _Decisions(_Log):
    def judge(self) -> None:
        """Make ``log_parsed`` of the rows, and ``log_rejects``."""
        self._features()
        arm = "CASE WHEN contains({0}, ':') THEN {0} ELSE coalesce(decision, 'decision-1') || ':' || {0} END"
        listed = arm.format("c")
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE log_parsed AS SELECT {self.common()}, coalesce(point, 'point-1') AS point, "
            f"{arm.format('choice')} AS arm, "
            "array_to_string(list_sort(list_transform(string_split("
            f"{arm.format('choice')}, ','), lambda part: string_split(part, ':')[1])), ',') AS decision_set, "
            f"list_transform(string_split(candidates, '|'), lambda c: {listed}) AS candidates, "
            "list_transform(string_split(probs, '|'), lambda p: TRY_CAST(p AS DOUBLE)) AS probs, "
            "TRY_CAST(propensity AS DOUBLE) AS propensity, session, policy, coalesce(version, 'file') AS version, "
            f"coalesce(segment, '{NO_SEGMENT}') AS segment, TRY_CAST(reward AS DOUBLE) AS reward, "
            "reward IS NOT NULL AS has_reward FROM log_rows"
        )
        self.con.execute(
            "CREATE OR REPLACE TEMP TABLE log_candidates AS SELECT agent, point, decision_set, "
            "list(arm ORDER BY place NULLS LAST, arm) AS arms FROM (SELECT agent, point, decision_set, arm, "
            "min(place) AS place FROM (SELECT agent, point, decision_set, arm, NULL AS place FROM log_parsed "
            "WHERE fault IS NULL AND arm IS NOT NULL UNION ALL SELECT agent, point, decision_set, arm, place "
            "FROM log_arms) GROUP BY ALL) GROUP BY ALL"
        )
        part = f"{CODE.pattern}:{CODE.pattern}"
        needed = "propensity" in self.mapped
        has_probs = "probs" in self.mapped
        self.con.execute(
            "CREATE OR REPLACE TEMP TABLE log_known AS SELECT p.* REPLACE ("
            "coalesce(p.candidates, c.arms) AS candidates), CASE "
            "WHEN p.fault IS NOT NULL THEN p.fault "
            f"WHEN p.arm IS NULL OR NOT regexp_full_match(p.arm, '{part}(,{part})*') THEN 'choice is no choice' "
            f"WHEN NOT {_is_code('p.point')} THEN 'point is no code' "
            f"WHEN p.segment <> '{NO_SEGMENT}' AND NOT {_is_code('p.segment')} THEN 'segment is no code' "
            "WHEN p.policy IS NOT NULL AND p.policy NOT IN ('control', 'explore', 'exploit') "
            "THEN 'policy is none of control, explore, exploit' "
            "WHEN NOT list_contains(coalesce(p.candidates, c.arms), p.arm) THEN 'choice is not among the candidates' "
            "WHEN len(list_distinct(p.candidates)) < len(p.candidates) THEN 'candidates repeat' "
            + ("WHEN p.propensity IS NULL OR NOT (p.propensity > 0 AND p.propensity <= 1) "
               "THEN 'propensity is null or outside (0, 1]' " if needed else "")
            + ("WHEN p.probs IS NOT NULL AND (len(p.probs) <> len(coalesce(p.candidates, c.arms)) "
               "OR len(list_filter(p.probs, lambda q: q >= 0 AND q <= 1)) < len(p.probs) "
               "OR abs(list_sum(p.probs) - 1) > 1e-3) THEN 'probs do not fit the candidates' " if has_probs else "")
            + "WHEN p.has_reward AND (p.reward IS NULL OR NOT isfinite(p.reward)) THEN 'reward is no number' "
            "END AS found FROM log_parsed AS p LEFT JOIN log_candidates AS c "
            "ON c.agent = p.agent AND c.point = p.point AND c.decision_set = p.decision_set"
        )
        self.con.execute(
            "CREATE OR REPLACE TEMP TABLE log_rejects AS SELECT line, found AS reason FROM log_known "
            "WHERE found IS NOT NULL"
        )
        if not needed:
            self.message = "the log has no propensity: 1/K was assumed, and every estimate from it says so"

    def insert(self) -> int:
        """Insert what is new; returns how many decisions."""
        needed = "propensity" in self.mapped
        self.con.execute(
            "CREATE OR REPLACE TEMP TABLE log_new AS SELECT * EXCLUDE (fault, found) REPLACE ("
            f"{'propensity' if needed else '1.0 / len(candidates)'} AS propensity, "
            "coalesce(session, event_id) AS session) FROM log_known WHERE found IS NULL "
            "AND event_id NOT IN (SELECT event_id FROM decisions) "
            "QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY line) = 1"
        )
        uniform = f"abs(propensity - 1.0 / len(candidates)) <= {NEAR}"
        self.con.execute(
            f"""
            INSERT INTO decisions BY NAME
            WITH gaps AS (
                SELECT n.*, coalesce(a.timeout, {DEFAULT_TIMEOUT}) AS timeout,
                    lag(ts) OVER (PARTITION BY n.agent, n.session ORDER BY ts, line) AS before
                FROM log_new AS n LEFT JOIN log_agents AS a ON a.agent = n.agent
            ),
            cut AS (
                SELECT *, sum((before IS NULL OR ts - before > to_seconds(timeout))::INTEGER) OVER (
                    PARTITION BY agent, session ORDER BY ts, line) AS life FROM gaps
            ),
            opened AS (
                SELECT *, coalesce(epoch, epoch_ms(min(ts) OVER (PARTITION BY agent, session, life))) AS of_epoch
                FROM cut
            )
            SELECT event_id, owner, agent, session, of_epoch AS epoch, point, decision_set, arm, candidates,
                CASE WHEN probs IS NOT NULL THEN probs
                    WHEN {uniform} THEN list_transform(candidates, lambda one: 1.0 / len(candidates))
                    ELSE [] END AS probs,
                propensity AS probability,
                coalesce(policy, CASE WHEN {uniform} THEN 'explore' ELSE 'exploit' END) AS policy, '' AS requested,
                version, '' AS backoff, false AS sticky, 'ok' AS status, true AS live, segment,
                coalesce(f.features, '{{}}') AS features, '' AS pattern,
                row_number() OVER (PARTITION BY agent, session, of_epoch, point, decision_set ORDER BY ts, o.line) - 1
                    AS seq,
                ts, $now AS received_ts, true AS ts_given, 'file' AS source, {str(not needed).lower()}
                    AS propensity_assumed
            FROM opened AS o LEFT JOIN log_features AS f ON f.line = o.line
            """,
            {"now": self.now},
        )
        self.con.execute(
            "INSERT INTO decision_rewards SELECT event_id, 'goal-1', reward FROM log_new WHERE reward <> 0"
        )
        counted = self.con.execute("SELECT count(*) FROM log_new").fetchone()
        for name in ("log_new", "log_known", "log_parsed", "log_candidates", "log_features"):
            self.con.execute(f"DROP TABLE {name}")
        return int(counted[0]) if counted else 0

    def _features(self) -> None:
        """Make ``log_features``: features of each row as JSON with sorted keys, by the rule of tokens (1)."""
        made = [
            f"CASE WHEN {identifier(f'feature {at}')} IS NOT NULL THEN left({text_literal(name + ':')} || "
            f"{identifier(f'feature {at}')}, 50) END"
            for at, name in enumerate(self.log.features)
        ]
        # Characters that a feature cannot have become _, as where they are derived from a visitor.
        columns = ", ".join(f"regexp_replace({one}, '[^0-9A-Za-z_.:-]', '_', 'g')" for one in made)
        self.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE log_features AS
            WITH tokens AS (
                SELECT line, unnest(all_tokens) AS token, generate_subscripts(all_tokens, 1) AS place
                FROM (SELECT line, list_concat(string_split(coalesce(features, ''), ','), [{columns}]) AS all_tokens
                    FROM log_rows)
            ),
            sound AS (
                SELECT line, trim(token) AS token, place, string_split(trim(token), ':') AS parts FROM tokens
                WHERE regexp_full_match(trim(token), '{FEATURE.pattern}') AND trim(token) NOT IN ('null', 'undefined')
            ),
            shaped AS (
                SELECT line, place, token,
                    len(parts) = 2 AND parts[1] <> '' AND parts[2] <> '' AS paired,
                    len(parts) = 2 AND parts[1] <> '' AND regexp_full_match(parts[2], '{NUMBER.pattern}') AS numeric,
                    parts
                FROM sound
            ),
            named AS (
                SELECT line, place, CASE WHEN numeric THEN parts[1] ELSE token END AS name,
                    CASE WHEN numeric THEN parts[2]::DOUBLE ELSE 1.0 END AS value,
                    CASE WHEN paired THEN parts[1] || ':' ELSE token END AS kind
                FROM shaped
            ),
            newest AS (
                SELECT line, place, name, value FROM named
                QUALIFY row_number() OVER (PARTITION BY line, kind ORDER BY place DESC) = 1
            ),
            kept AS (
                SELECT line, name, value FROM newest
                QUALIFY row_number() OVER (PARTITION BY line, name ORDER BY place DESC) = 1
                    AND row_number() OVER (PARTITION BY line ORDER BY place) <= {FEATURES_OF_A_SESSION}
            )
            SELECT line,
                '{{' || string_agg(to_json(name) || ':' || to_json(value), ',' ORDER BY name) || '}}' AS features
            FROM kept GROUP BY line
            """
        )


class _Goals(_Log):
    def judge(self) -> None:
        """Make ``log_parsed`` of the rows, and ``log_rejects``."""
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE log_parsed AS SELECT {self.common()}, session, "
            "coalesce(goal, 'goal-1') AS goal, TRY_CAST(reward AS DOUBLE) AS reward, reward IS NOT NULL AS has_reward "
            "FROM log_rows"
        )
        self.con.execute(
            "CREATE OR REPLACE TEMP TABLE log_rejects AS SELECT line, reason FROM (SELECT line, CASE "
            "WHEN fault IS NOT NULL THEN fault WHEN session IS NULL THEN 'session is missing' "
            f"WHEN NOT {_is_code('goal')} THEN 'goal is no code' "
            "WHEN has_reward AND (reward IS NULL OR NOT isfinite(reward)) THEN 'reward is no number' END AS reason "
            "FROM log_parsed) WHERE reason IS NOT NULL"
        )

    def insert(self) -> int:
        """Accept what is new by section 5, in the order of ts; returns how many goals."""
        self.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE log_new AS
            WITH fresh AS (
                SELECT p.line, p.owner, p.agent, p.session, p.goal, p.ts, p.event_id, p.epoch AS given,
                    coalesce(p.reward, g.usual, 1.0) AS reward, coalesce(a.timeout, {DEFAULT_TIMEOUT}) AS timeout,
                    coalesce(a.stopped, false) AS stopped, g.least, g.most, coalesce(g.most_times, 1) AS most_times,
                    a.agent IS NOT NULL OR p.agent IN (SELECT agent FROM decisions) AS known
                FROM log_parsed AS p
                LEFT JOIN log_agents AS a ON a.agent = p.agent
                LEFT JOIN log_goals AS g ON g.agent = p.agent AND g.goal = p.goal
                WHERE p.line NOT IN (SELECT line FROM log_rejects)
                    AND p.event_id NOT IN (SELECT event_id FROM goals)
                QUALIFY row_number() OVER (PARTITION BY p.event_id ORDER BY p.line) = 1
            ),
            placed AS (
                SELECT f.*, coalesce(f.given, d.epoch) AS epoch, d.ts AS last_ts
                FROM fresh AS f ASOF LEFT JOIN (
                    SELECT agent, session, ts, max(epoch) AS epoch FROM decisions GROUP BY agent, session, ts
                ) AS d ON d.agent = f.agent AND d.session = f.session AND f.ts >= d.ts
            ),
            judged AS (
                SELECT *, CASE
                    WHEN NOT known THEN 'unknown_agent'
                    WHEN stopped THEN 'stopped'
                    WHEN epoch IS NULL THEN 'no_session'
                    WHEN given IS NULL AND ts - last_ts > to_seconds(timeout) THEN 'timed_out'
                    WHEN (agent, session, epoch) NOT IN (SELECT (agent, session, epoch) FROM decisions)
                        THEN 'no_decision'
                    WHEN reward <= 0 AND NOT coalesce(least < 0, false) THEN 'not_positive'
                    WHEN reward > most THEN 'above_max'
                    WHEN reward < least THEN 'below_min'
                    ELSE '' END AS reason
                FROM placed
            ),
            accepted AS (
                SELECT agent, session, epoch, goal, reward_sent AS reward, ts FROM goals WHERE coalesce(reason, '') = ''
            ),
            moments AS (
                SELECT agent, session, epoch, goal, reward, list_sort(list(ts)) AS all_ts FROM (
                    SELECT agent, session, epoch, goal, reward, ts FROM judged WHERE reason = '' AND most_times <> 1
                    UNION ALL SELECT * FROM accepted
                ) GROUP BY ALL
            ),
            counted AS (
                SELECT agent, session, epoch, goal, reward, list_reduce(
                    list_transform(all_ts, lambda t: [t]),
                    lambda held, t: CASE WHEN t[1] - held[-1] > INTERVAL 1 SECOND THEN held || t ELSE held END) AS kept
                FROM moments
            ),
            repeated AS (
                SELECT j.*, j.reason = '' AND j.most_times <> 1 AND (NOT list_contains(c.kept, j.ts)
                    OR row_number() OVER (PARTITION BY j.agent, j.session, j.epoch, j.goal, j.reward, j.ts,
                        j.reason = '' ORDER BY j.line) > 1) AS is_repeat
                FROM judged AS j LEFT JOIN counted AS c
                    ON c.agent = j.agent AND c.session = j.session AND c.epoch = j.epoch AND c.goal = j.goal
                    AND c.reward = j.reward
            ),
            told AS (
                SELECT agent, session, epoch, goal, count(*) AS before FROM accepted GROUP BY ALL
            ),
            numbered AS (
                SELECT r.*, coalesce(t.before, 0) + count(*) FILTER (r.reason = '' AND NOT r.is_repeat) OVER (
                    PARTITION BY r.agent, r.session, r.epoch, r.goal ORDER BY r.ts, r.line) AS number
                FROM repeated AS r LEFT JOIN told AS t
                    ON t.agent = r.agent AND t.session = r.session AND t.epoch = r.epoch AND t.goal = r.goal
            )
            SELECT *, CASE WHEN reason <> '' THEN reason
                WHEN most_times > 0 AND number > most_times THEN 'limit'
                WHEN is_repeat THEN 'duplicate' ELSE '' END AS said
            FROM numbered
            """
        )
        self.con.execute(
            "INSERT INTO goals BY NAME SELECT event_id, owner, agent, session, epoch, goal, reward AS reward_sent, "
            "CASE WHEN said = '' THEN reward ELSE 0.0 END AS reward_accepted, said AS reason, ts, $now AS received_ts, "
            "true AS ts_given, 'file' AS source FROM log_new ORDER BY line",
            {"now": self.now},
        )
        counted = self.con.execute("SELECT count(*) FROM log_new").fetchone()
        for name in ("log_new", "log_parsed"):
            self.con.execute(f"DROP TABLE {name}")
        return int(counted[0]) if counted else 0


def _is_code(column: str) -> str:
    return f"regexp_full_match({column}, '{CODE.pattern}')"


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(map(text_literal, texts))
