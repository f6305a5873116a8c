-- grain: one agent with an event before $as_of, with what of it counts: since its last reset, and for learning since window_from
SELECT
    e.agent,
    coalesce(a.owner, $owner) AS owner,
    coalesce(a.reset_at, TIMESTAMP '0001-01-01') AS reset_at,
    (($as_of - INTERVAL 1 MICROSECOND)::DATE - coalesce(a.window_days, $window_days)::INTEGER + 1)::DATE AS window_from,
    coalesce(a.reward_model, 'auto') AS reward_model
FROM (
    SELECT agent FROM warehouse.decisions WHERE ts < $as_of
    UNION
    SELECT agent FROM warehouse.goals WHERE ts < $as_of
) AS e
LEFT JOIN agent_settings AS a USING (agent)
ORDER BY e.agent
