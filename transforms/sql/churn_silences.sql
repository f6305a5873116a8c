-- grain: one activity event before $as_of after which the profile was silent for $horizon_days, all of them before $as_of
WITH following AS (
    SELECT
        profile_id,
        created_at,
        coalesce(lead(created_at) OVER (PARTITION BY profile_id ORDER BY created_at), $as_of::TIMESTAMP) AS next_at
    FROM (
        SELECT DISTINCT profile_id, created_at
        FROM events
        WHERE created_at < $as_of::TIMESTAMP AND list_contains($activity_event_types::VARCHAR[], event_type)
    )
)
SELECT profile_id, created_at AS silent_from
FROM following
WHERE next_at >= created_at + to_days($horizon_days::INTEGER)
ORDER BY ALL
