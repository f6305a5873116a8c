-- grain: one exposure before $as_of since the agent's last reset (decision contract, section 8.1)
SELECT
    d.event_id,
    d.agent,
    d.point,
    d.decision_set,
    d.arm,
    d.candidates,
    CASE WHEN len(d.probs) > 0 THEN d.probs END AS probs,
    d.probability,
    d.policy,
    coalesce(d.requested, '') AS requested,
    d.version,
    coalesce(d.backoff, '') AS backoff,
    coalesce(d.segment, '(none)') AS segment,
    coalesce(d.features::VARCHAR, '{}') AS features,
    d.session,
    d.epoch,
    d.seq,
    d.ts,
    d.received_ts,
    d.ts::DATE AS date,
    coalesce(d.source, '') AS source,
    coalesce(d.propensity_assumed, false) AS assumed,
    d.ts::DATE >= t.window_from AS in_window,
    coalesce(r.goals, 0) AS goals,
    coalesce(r.micro, 0)::BIGINT AS micro
FROM warehouse.decisions AS d
JOIN decision_terms AS t USING (agent)
LEFT JOIN decision_responses AS r USING (event_id)
WHERE
    d.ts < $as_of AND d.received_ts >= t.reset_at
    AND NOT d.sticky AND d.live AND coalesce(d.status, 'ok') = 'ok'
    AND d.policy IN ('control', 'explore', 'exploit') AND coalesce(d.requested, '') IN ('', 'explore')
    AND d.probability > 0 AND d.probability <= 1
    AND d.agent NOT IN (SELECT agent FROM decision_frozen)
    AND (d.agent, d.version) NOT IN (SELECT (agent, version) FROM decision_barred)
