-- grain: one row; the same for the same events before $until, of profiles trained on or not, and the same items they are of
WITH past AS (
    SELECT * FROM item_events WHERE created_at < $until::TIMESTAMP
),
met AS (
    SELECT
        count(*) AS events,
        sum(hash(profile_id, item_id, past.weight, past.excludes, past.created_at, past.trained)::HUGEINT) AS first_sum,
        sum(hash(past.trained, past.created_at, past.excludes, past.weight, item_id, profile_id)::HUGEINT) AS second_sum
    FROM past
    JOIN profiles USING (profile_index)
    JOIN items USING (item_index)
),
described AS (
    SELECT sum(hash(item_id, item_name, item_description, item_category, item_price, properties)::HUGEINT) AS item_sum
    FROM items
    WHERE item_index IN (SELECT item_index FROM past)
)
SELECT concat_ws(' ', events, first_sum, second_sum, item_sum) AS digest
FROM met, described
