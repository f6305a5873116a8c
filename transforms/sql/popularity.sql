-- grain: one item, best first; counted over the profiles that recommenders learn from
WITH sums AS (
    SELECT
        item_index,
        sum(round(recent_weight * 4294967296)::BIGINT)::DOUBLE / 4294967296 AS score,
        count(*)::INTEGER AS profiles,
        sum(events)::INTEGER AS events
    FROM interactions
    ANTI JOIN recommender_exclusions USING (profile_id)
    WHERE events > 0
    GROUP BY item_index
)
SELECT
    row_number() OVER (
        ORDER BY coalesce(score, 0) DESC, coalesce(profiles, 0) DESC, coalesce(sums.events, 0) DESC, item_index
    )::INTEGER AS rank,
    item_id,
    coalesce(score, 0)::DOUBLE AS score,
    coalesce(profiles, 0)::INTEGER AS profiles,
    coalesce(sums.events, 0)::INTEGER AS events
FROM items
LEFT JOIN sums USING (item_index)
ORDER BY rank
