-- grain: one explicit churn before $as_of: a churned event, or the last delivered status being churned
SELECT profile_id, created_at AS churned_at
FROM events
WHERE event_type = 'churned' AND created_at < $as_of::TIMESTAMP
UNION
SELECT w.profile_id, w.status_at
FROM warehouse.profiles AS w
WHERE w.status = 'churned' AND w.status_at < $as_of::TIMESTAMP AND w.profile_id IN (SELECT profile_id FROM profiles)
ORDER BY ALL
