-- grain: one profile known before $as_of; profile_index is its position by profile_id
-- A profile is known from its own date, from its first event, or always when it came without a date of its own.
-- A charged event makes it a customer; a churned event later than the status that was delivered makes it churned.
-- What was written through the API is in written_profiles. Of one that was deleted only its events are known, if any.
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
    profiles.profile_id,
    customer_id,
    (row_number() OVER (ORDER BY profiles.profile_id) - 1)::INTEGER AS profile_index,
    coalesce(CASE WHEN from_file THEN NULL ELSE written_charged END, has_charged, false)
        OR coalesce(charged, false) AS has_charged,
    CASE
        WHEN churned_at > coalesce(greatest(status_at, written_status_at), TIMESTAMP '-infinity') THEN 'churned'
        WHEN written_status_at >= coalesce(status_at, TIMESTAMP '-infinity') THEN written_status
        ELSE coalesce(status, 'active')
    END AS status,
    coalesce(written.profile_data, profiles.profile_data) AS profile_data,
    CASE WHEN from_file IS DISTINCT FROM false THEN platform_info ELSE coalesce(written_platform, '{}') END AS platform_info,
    least(created_at, first_event_at) AS created_at,
    greatest(updated_at, written_at) AS updated_at,
    coalesce(NOT live, load_id = 0, false) AS implicit
FROM warehouse.profiles AS profiles
LEFT JOIN of_events ON of_events.profile_id = profiles.profile_id
LEFT JOIN written_profiles AS written ON written.profile_id = profiles.profile_id
WHERE (created_at < $as_of OR first_event_at IS NOT NULL OR NOT dated)
    AND (first_event_at IS NOT NULL OR NOT coalesce(NOT live, load_id = 0, false))
ORDER BY profiles.profile_id
