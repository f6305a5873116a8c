-- grain: one event of a type that weighs or excludes, with a known profile and item
WITH kinds AS (
    SELECT
        unnest($event_types::VARCHAR[]) AS event_type,
        unnest($event_weights::DOUBLE[]) AS weight,
        unnest($excluding::BOOLEAN[]) AS excludes
)
SELECT
    profiles.profile_index,
    items.item_index,
    kinds.weight,
    kinds.excludes,
    events.created_at,
    recommender_exclusions.profile_id IS NULL AS trained
FROM events
JOIN kinds ON kinds.event_type = events.event_type
JOIN profiles ON profiles.profile_id = events.profile_id
JOIN items ON items.item_id = events.item_id
LEFT JOIN (SELECT DISTINCT profile_id FROM recommender_exclusions) AS recommender_exclusions
    ON recommender_exclusions.profile_id = profiles.profile_id
