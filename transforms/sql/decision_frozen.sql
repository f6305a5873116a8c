-- grain: one agent that mixes calls with and without a time of their own since its last reset: it learns no more
WITH calls AS (
    SELECT agent, ts_given, received_ts FROM warehouse.decisions WHERE ts < $as_of AND source = 'api'
    UNION ALL
    SELECT agent, ts_given, received_ts FROM warehouse.goals WHERE ts < $as_of AND source = 'api'
    UNION ALL
    SELECT agent, ts_given, received_ts FROM warehouse.decision_sessions WHERE ts < $as_of
)
SELECT agent, count(*) FILTER (ts_given) AS given, count(*) FILTER (NOT ts_given) AS not_given
FROM calls
JOIN decision_terms AS t USING (agent)
WHERE received_ts >= t.reset_at
GROUP BY agent
HAVING bool_or(ts_given) AND NOT bool_and(ts_given)
