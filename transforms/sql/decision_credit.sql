-- grain: one decision event and goal credited to it before $as_of (decision contract, section 5)
WITH draws AS (
    -- A draw takes credit until the next one of its decision set. Of equal times the last one counts.
    SELECT
        d.event_id,
        d.agent,
        d.session,
        d.epoch,
        d.ts AS credited_from,
        lead(d.ts) OVER (
            PARTITION BY d.agent, d.session, d.epoch, d.point, d.decision_set
            ORDER BY d.ts, d.received_ts, d.seq, d.event_id
        ) AS credited_until
    FROM warehouse.decisions AS d
    JOIN decision_terms AS t USING (agent)
    SEMI JOIN decision_accepted AS g
        ON g.agent = d.agent AND g.session = d.session AND g.epoch = d.epoch
    WHERE d.ts < $as_of AND d.received_ts >= t.reset_at AND NOT d.sticky
),
credited AS (
    SELECT d.event_id, g.goal, g.micro, g.ts
    FROM draws AS d
    JOIN decision_accepted AS g USING (agent, session, epoch)
    WHERE g.ts >= d.credited_from AND (d.credited_until IS NULL OR g.ts < d.credited_until)
    UNION ALL
    -- Rewards that a log told with the decision itself.
    SELECT r.event_id, r.goal, round(greatest(-1e9, least(1e9, r.reward)) * 1e6)::BIGINT, NULL
    FROM warehouse.decision_rewards AS r
)
SELECT event_id, goal, count(*)::INTEGER AS goals, sum(micro)::HUGEINT AS micro, max(ts) AS last_ts
FROM credited
GROUP BY event_id, goal
