-- grain: one profile that the churn population holds at $cut, with whether it is explicitly churned then
-- Rules 2 and 4 (missing features, status) are not applied here: see churn_exclusions.
WITH activity AS (
    SELECT profile_id, max(created_at) AS last_at
    FROM events
    WHERE created_at < $cut::TIMESTAMP AND list_contains($activity_event_types::VARCHAR[], event_type)
    GROUP BY profile_id
),
churned AS (
    SELECT profile_id, max(churned_at) AS churned_at FROM churn_explicit WHERE churned_at < $cut::TIMESTAMP GROUP BY profile_id
),
ended AS (
    SELECT profile_id, max(ended_at) AS ended_at FROM churn_endings WHERE ended_at < $cut::TIMESTAMP GROUP BY profile_id
),
seen AS (
    SELECT profile_id, min(created_at) AS first_at FROM events WHERE created_at < $cut::TIMESTAMP GROUP BY profile_id
)
SELECT
    p.profile_id,
    churned.churned_at IS NOT NULL AND coalesce(ended.ended_at <= churned.churned_at, true) AS explicitly_churned
FROM profiles AS p
LEFT JOIN activity USING (profile_id)
LEFT JOIN churned USING (profile_id)
LEFT JOIN ended USING (profile_id)
LEFT JOIN seen USING (profile_id)
WHERE CASE
    WHEN $inactivity THEN coalesce(activity.last_at >= $cut::TIMESTAMP - to_days($lookback_days::INTEGER), false)
    ELSE p.created_at < $cut::TIMESTAMP OR seen.first_at IS NOT NULL
END
ORDER BY p.profile_id
