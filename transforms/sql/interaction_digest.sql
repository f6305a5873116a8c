-- grain: one row; the same for the same events before $until, whoever and whatever else there is by now
WITH past AS (
    SELECT * FROM item_events WHERE created_at < $until::TIMESTAMP
)
SELECT
    concat_ws(
        ' ',
        count(*),
        sum(hash(profile_id, item_id, past.weight, past.excludes, past.created_at, past.trained)::HUGEINT),
        sum(hash(past.trained, past.created_at, past.excludes, past.weight, item_id, profile_id)::HUGEINT)
    ) AS digest
FROM past
JOIN profiles USING (profile_index)
JOIN items USING (item_index)
