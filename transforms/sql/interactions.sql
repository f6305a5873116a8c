-- grain: one profile and item with at least one weighted event before $as_of
-- A row's weight is rounded to a whole number of 2^-32 before it is summed: the sum is exact, so it cannot depend on order or threads.
WITH kinds AS (
    SELECT unnest($event_types::VARCHAR[]) AS event_type, unnest($event_weights::DOUBLE[]) AS weight
),
weighted AS (
    SELECT
        profiles.profile_index,
        items.item_index,
        kinds.weight,
        (epoch_us($as_of::TIMESTAMP) - epoch_us(events.created_at)) / 86400000000.0 AS age_days,
        events.created_at
    FROM events
    JOIN kinds ON kinds.event_type = events.event_type
    JOIN profiles ON profiles.profile_id = events.profile_id
    JOIN items ON items.item_id = events.item_id
    WHERE events.created_at < $as_of::TIMESTAMP
),
pairs AS (
    SELECT
        profile_index,
        item_index,
        sum(round(weight * pow(0.5, age_days / $half_life_days) * 4294967296)::BIGINT)::DOUBLE / 4294967296 AS weight,
        sum(round(weight * pow(0.5, age_days / $popularity_half_life_days) * 4294967296)::BIGINT)::DOUBLE / 4294967296
            AS recent_weight,
        count(*)::INTEGER AS events,
        min(created_at) AS first_at,
        max(created_at) AS last_at
    FROM weighted
    GROUP BY profile_index, item_index
)
SELECT
    profiles.profile_id,
    items.item_id,
    pairs.profile_index,
    pairs.item_index,
    pairs.weight,
    pairs.recent_weight,
    pairs.events,
    pairs.first_at,
    pairs.last_at
FROM pairs
JOIN profiles USING (profile_index)
JOIN items USING (item_index)
