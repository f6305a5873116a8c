-- grain: one agent, point, decision set and version in the window: exposures that nobody asked for by cell, and their expected numbers
-- by the rates in force at the time.
SELECT
    x.agent,
    x.point,
    x.decision_set,
    x.version,
    count(*) FILTER (x.policy = 'control') AS control,
    count(*) FILTER (x.policy = 'explore') AS explore,
    count(*) FILTER (x.policy = 'exploit') AS exploit,
    sum(round(r.control_rate * 1e12)::HUGEINT)::DOUBLE / 1e12 AS expected_control,
    sum(round((1 - r.control_rate) * r.exploration_rate * 1e12)::HUGEINT)::DOUBLE / 1e12 AS expected_explore,
    sum(round((1 - r.control_rate) * (1 - r.exploration_rate) * 1e12)::HUGEINT)::DOUBLE / 1e12 AS expected_exploit
FROM decision_exposures AS x
ASOF JOIN agent_rates AS r ON r.agent = x.agent AND x.received_ts >= r.since
WHERE x.in_window AND x.requested = '' AND x.source = 'api'
GROUP BY x.agent, x.point, x.decision_set, x.version
