-- grain: one profile and item with at least one weighted or excluding event before $as_of
-- A row's weight is rounded to a whole number of 2^-32 before it is summed: the sum is exact, so it cannot depend on order or threads.
WITH aged AS (
    SELECT *, (epoch_us($as_of::TIMESTAMP) - epoch_us(created_at)) / 86400000000.0 AS age_days
    FROM item_events
    WHERE created_at < $as_of::TIMESTAMP
),
pairs AS (
    SELECT
        profile_index,
        item_index,
        sum(round(weight * pow(0.5, age_days / $half_life_days) * 4294967296)::BIGINT)::DOUBLE / 4294967296 AS weight,
        sum(round(weight * pow(0.5, age_days / $popularity_half_life_days) * 4294967296)::BIGINT)::DOUBLE / 4294967296
            AS recent_weight,
        count(*) FILTER (WHERE weight > 0)::INTEGER AS events,
        min(created_at) FILTER (WHERE weight > 0) AS first_at,
        max(created_at) FILTER (WHERE weight > 0) AS last_at,
        bool_or(excludes) AS excludes
    FROM aged
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
    pairs.last_at,
    pairs.excludes
FROM pairs
JOIN profiles USING (profile_index)
JOIN items USING (item_index)
