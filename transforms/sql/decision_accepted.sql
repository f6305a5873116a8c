-- grain: one accepted goal event before $as_of since the agent's last reset; its value in millionths, within +- 10^9
SELECT
    g.agent,
    g.session,
    g.epoch,
    g.goal,
    g.ts,
    round(greatest(-1e9, least(1e9, g.reward_accepted)) * 1e6)::BIGINT AS micro
FROM warehouse.goals AS g
JOIN decision_terms AS t USING (agent)
WHERE g.ts < $as_of AND g.received_ts >= t.reset_at AND coalesce(g.reason, '') = '' AND g.epoch IS NOT NULL
