-- grain: one profile and item that it rated before $as_of, with the last rating
-- Of equal times the greater rating counts, so that the order of rows does not.
SELECT profile_id, item_id, TRY_CAST(properties->>'$.rating' AS DOUBLE) AS rating, created_at
FROM events
WHERE event_type = 'rating' AND created_at < $as_of AND item_id IS NOT NULL
    AND TRY_CAST(properties->>'$.rating' AS DOUBLE) IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY profile_id, item_id ORDER BY created_at DESC, rating DESC) = 1
ORDER BY profile_id, item_id
