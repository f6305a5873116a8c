-- grain: one agent and flag that its events raise
WITH decided AS (
    SELECT d.agent, d.session, d.point, d.decision_set, d.candidates, d.segment, d.ts, d.received_ts, d.source,
        d.sticky, d.event_id
    FROM warehouse.decisions AS d
    JOIN decision_terms AS t USING (agent)
    WHERE d.ts < $as_of AND d.received_ts >= t.reset_at
),
days AS (
    SELECT a.agent, b.back, count(d.ts) AS n
    FROM (SELECT DISTINCT agent FROM decided WHERE source = 'api') AS a
    CROSS JOIN range(1, 16) AS b(back)
    LEFT JOIN decided AS d
        ON d.agent = a.agent AND d.source = 'api' AND d.ts::DATE = $as_of::DATE - b.back::INTEGER
    GROUP BY a.agent, b.back
),
gaps AS (
    SELECT agent, max(n) FILTER (back = 1) AS last_day, median(n) FILTER (back > 1) AS usual FROM days GROUP BY agent
),
ordered AS (
    SELECT agent, ts < max(ts) OVER (
        PARTITION BY agent, session
        ORDER BY received_ts, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS behind
    FROM decided
    WHERE source = 'api'
),
behind AS (
    SELECT agent, count(*) FILTER (behind) AS n, count(*) AS total FROM ordered GROUP BY agent
)
SELECT agent, 'gap' AS flag,
    last_day || ' decisions on the last whole day, ' || usual || ' on the median day of the two weeks before' AS detail
FROM gaps
WHERE usual > 0 AND last_day < 0.2 * usual
UNION ALL
SELECT agent, 'out_of_order', n || ' of ' || total || ' decisions are dated before an earlier one of their session'
FROM behind
WHERE n > 0.01 * total
UNION ALL
SELECT agent, 'mixed_ts', given || ' calls with a time of their own, ' || not_given || ' without'
FROM decision_frozen
UNION ALL
SELECT agent, 'too_many_combinations', 'more than 64 arms at ' || string_agg(DISTINCT point, ', ' ORDER BY point)
FROM decided
WHERE contains(decision_set, ',') AND NOT sticky AND (len(candidates) = 0 OR len(candidates) > 64)
GROUP BY agent
UNION ALL
SELECT agent, 'segment_cap', count(DISTINCT segment) || ' segments'
FROM decided
GROUP BY agent
HAVING count(DISTINCT segment) > 200
