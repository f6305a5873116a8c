-- grain: one row: profiles counted and profiles churned at $as_of, for the share of churned profiles
WITH acted AS (
    SELECT profile_id, max(created_at) AS last_at
    FROM events
    WHERE created_at < $as_of::TIMESTAMP AND list_contains($activity_event_types::VARCHAR[], event_type)
    GROUP BY profile_id
),
explicit AS (
    SELECT c.profile_id
    FROM (SELECT profile_id, max(churned_at) AS churned_at FROM churn_explicit GROUP BY profile_id) AS c
    LEFT JOIN (SELECT profile_id, max(ended_at) AS ended_at FROM churn_endings GROUP BY profile_id) AS e USING (profile_id)
    WHERE coalesce(e.ended_at <= c.churned_at, true)
)
SELECT
    count(*) AS counted,
    count(*) FILTER (
        explicit.profile_id IS NOT NULL OR ($inactivity AND acted.last_at < $as_of::TIMESTAMP - to_days($horizon_days::INTEGER))
    ) AS churned
FROM profiles
LEFT JOIN acted USING (profile_id)
LEFT JOIN explicit USING (profile_id)
WHERE CASE WHEN $inactivity THEN acted.profile_id IS NOT NULL ELSE true END AND profiles.status <> 'inactive'
