-- grain: one agent and kind of row since its last reset that is no exposure, or came late
SELECT d.agent, 'sticky' AS kind, count(*) AS n
FROM warehouse.decisions AS d
JOIN decision_terms AS t USING (agent)
WHERE d.ts < $as_of AND d.received_ts >= t.reset_at AND d.sticky
GROUP BY d.agent
UNION ALL
SELECT d.agent, 'provisional', count(*)
FROM warehouse.decisions AS d
JOIN decision_terms AS t USING (agent)
WHERE d.ts < $as_of AND d.received_ts >= t.reset_at AND d.status = 'p'
GROUP BY d.agent
UNION ALL
SELECT g.agent, 'rejected ' || g.reason, count(*)
FROM warehouse.goals AS g
JOIN decision_terms AS t USING (agent)
WHERE g.ts < $as_of AND g.received_ts >= t.reset_at AND coalesce(g.reason, '') <> ''
GROUP BY g.agent, g.reason
UNION ALL
SELECT x.agent, 'late', count(*)
FROM decision_credit AS c
JOIN decision_exposures AS x USING (event_id)
WHERE c.last_ts::DATE > x.date
GROUP BY x.agent
