-- grain: one agent, point, decision set, version and arm in the window: exposures that nobody asked for, and their expected number
WITH alike AS (
    SELECT agent, point, decision_set, version, candidates, probs, arm, count(*) AS n
    FROM decision_exposures
    WHERE in_window AND requested = '' AND probs IS NOT NULL
    GROUP BY ALL
),
expected AS (
    SELECT agent, point, decision_set, version, unnest(candidates) AS arm, unnest(probs) AS p, n FROM alike
),
observed AS (
    SELECT agent, point, decision_set, version, arm, sum(n)::BIGINT AS observed FROM alike GROUP BY ALL
)
SELECT
    e.agent,
    e.point,
    e.decision_set,
    e.version,
    e.arm,
    coalesce(any_value(o.observed), 0)::BIGINT AS observed,
    sum(e.n::HUGEINT * round(e.p * 1125899906842624)::HUGEINT)::DOUBLE / 1125899906842624 AS expected
FROM expected AS e
LEFT JOIN observed AS o
    ON o.agent = e.agent AND o.point = e.point AND o.decision_set = e.decision_set AND o.version = e.version
    AND o.arm = e.arm
GROUP BY e.agent, e.point, e.decision_set, e.version, e.arm
