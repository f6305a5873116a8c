-- grain: one profile known before $as_of; profile_index is its position by profile_id
-- A profile is known from its own date, from its first event, or always when it came without a date of its own.
-- A charged event makes it a customer; a churned event later than the status that was delivered makes it churned.
WITH of_events AS (
    SELECT
        profile_id,
        min(created_at) AS first_event_at,
        bool_or(event_type = 'charged') AS charged,
        max(created_at) FILTER (event_type = 'churned') AS churned_at
    FROM warehouse.events
    WHERE created_at < $as_of
    GROUP BY profile_id
)
SELECT
    profile_id,
    customer_id,
    (row_number() OVER (ORDER BY profile_id) - 1)::INTEGER AS profile_index,
    coalesce(has_charged, false) OR coalesce(charged, false) AS has_charged,
    CASE WHEN churned_at > coalesce(status_at, TIMESTAMP '-infinity') THEN 'churned' ELSE coalesce(status, 'active') END AS status,
    profile_data,
    platform_info,
    least(created_at, first_event_at) AS created_at,
    updated_at
FROM warehouse.profiles
LEFT JOIN of_events USING (profile_id)
WHERE created_at < $as_of OR first_event_at IS NOT NULL OR NOT dated
ORDER BY profile_id
