-- grain: one agent, point, decision set, version and arm in the window: its mean probability over the exposures that had it as a candidate
-- Probabilities are added up as whole 2^-50ths. Where a log told none (not told), the observed share stands in.
WITH alike AS (
    SELECT agent, point, decision_set, version, candidates, probs, count(*) AS n
    FROM decision_exposures
    WHERE in_window
    GROUP BY ALL
),
told AS (
    SELECT agent, point, decision_set, version, n, unnest(candidates) AS arm, unnest(probs) AS p
    FROM alike
    WHERE probs IS NOT NULL
),
arms AS (
    SELECT agent, point, decision_set, version, arm, count(*) AS shown
    FROM decision_exposures
    WHERE in_window AND probs IS NULL
    GROUP BY ALL
),
untold AS (
    SELECT agent, point, decision_set, version, candidates, n FROM alike WHERE probs IS NULL
)
SELECT
    agent,
    point,
    decision_set,
    version,
    arm,
    true AS told,
    (sum(n::HUGEINT * round(p * 1125899906842624)::HUGEINT)::DOUBLE / sum(n)::DOUBLE) / 1125899906842624 AS share
FROM told
GROUP BY agent, point, decision_set, version, arm
UNION ALL
SELECT
    a.agent,
    a.point,
    a.decision_set,
    a.version,
    a.arm,
    false,
    any_value(a.shown)::DOUBLE / sum(u.n)::DOUBLE
FROM arms AS a
JOIN untold AS u
    ON u.agent = a.agent AND u.point = a.point AND u.decision_set = a.decision_set AND u.version = a.version
    AND (len(u.candidates) = 0 OR list_contains(u.candidates, a.arm))
GROUP BY a.agent, a.point, a.decision_set, a.version, a.arm
