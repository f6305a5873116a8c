-- grain: one length of gap in days between neighbouring activity dates of one profile before $as_of, with how often it occurred
WITH days AS (
    SELECT DISTINCT profile_id, created_at::DATE AS day
    FROM events
    WHERE created_at < $as_of::TIMESTAMP AND list_contains($activity_event_types::VARCHAR[], event_type)
),
gaps AS (
    SELECT date_diff('day', lag(day) OVER (PARTITION BY profile_id ORDER BY day), day) AS gap FROM days
)
SELECT gap, count(*) AS times
FROM gaps
WHERE gap IS NOT NULL
GROUP BY gap
ORDER BY gap
