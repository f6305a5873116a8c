-- grain: one agent, day of the first decision of an epoch, and policy of its first exposure (10.1)
WITH epochs AS (
    SELECT d.agent, d.session, d.epoch, min(d.ts)::DATE AS date
    FROM warehouse.decisions AS d
    JOIN decision_terms AS t USING (agent)
    WHERE d.ts < $as_of AND d.received_ts >= t.reset_at AND d.agent NOT IN (SELECT agent FROM decision_frozen)
    GROUP BY d.agent, d.session, d.epoch
),
first AS (
    SELECT agent, session, epoch,
        min({'at': ts, 'seq': seq, 'event_id': event_id, 'policy': policy}) AS shown
    FROM decision_exposures
    GROUP BY agent, session, epoch
),
reached AS (
    SELECT agent, session, epoch, count(*) AS goals, sum(micro::HUGEINT)::HUGEINT AS micro
    FROM (
        SELECT agent, session, epoch, micro FROM decision_accepted
        UNION ALL
        SELECT d.agent, d.session, d.epoch, round(greatest(-1e9, least(1e9, r.reward)) * 1e6)::BIGINT
        FROM warehouse.decision_rewards AS r
        JOIN warehouse.decisions AS d USING (event_id)
        JOIN decision_terms AS t USING (agent)
        WHERE d.ts < $as_of AND d.received_ts >= t.reset_at
    )
    GROUP BY agent, session, epoch
)
SELECT
    e.agent,
    e.date,
    coalesce(f.shown.policy, '') AS policy,
    count(*) AS sessions,
    coalesce(sum(g.goals), 0)::BIGINT AS goals,
    coalesce(sum(g.micro), 0)::DOUBLE / 1e6 AS value
FROM epochs AS e
LEFT JOIN first AS f USING (agent, session, epoch)
LEFT JOIN reached AS g USING (agent, session, epoch)
GROUP BY ALL
