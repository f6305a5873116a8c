-- grain: one moment before $as_of that ends an explicit churn before it: an activity event, or the status set to active
-- Only of profiles in churn_explicit.
SELECT profile_id, created_at AS ended_at
FROM events
WHERE created_at < $as_of::TIMESTAMP AND list_contains($activity_event_types::VARCHAR[], event_type)
    AND profile_id IN (SELECT profile_id FROM churn_explicit)
UNION
SELECT w.profile_id, w.status_at
FROM warehouse.profiles AS w
WHERE w.status = 'active' AND w.status_at < $as_of::TIMESTAMP
ORDER BY ALL
