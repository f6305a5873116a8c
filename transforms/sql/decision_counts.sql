-- grain: one agent, point, decision set, policy, arm and level of weights in the window: exposures and what they brought
SELECT
    agent,
    point,
    decision_set,
    policy,
    arm,
    backoff,
    count(*) AS exposures,
    sum(goals)::BIGINT AS goals,
    sum(micro::HUGEINT)::DOUBLE / 1e6 AS value
FROM decision_exposures
WHERE in_window
GROUP BY agent, point, decision_set, policy, arm, backoff
