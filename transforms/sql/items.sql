-- grain: one item known before $as_of; item_index is its position by item_id
-- An item is known from its own date, from its first event, or always when it came without a date of its own.
WITH first_event AS (
    SELECT item_id, min(created_at) AS first_event_at
    FROM warehouse.events
    WHERE created_at < $as_of AND item_id IS NOT NULL
    GROUP BY item_id
)
SELECT
    item_id,
    (row_number() OVER (ORDER BY item_id) - 1)::INTEGER AS item_index,
    item_category,
    item_name,
    item_description,
    item_price,
    coalesce(status, 'active') AS status,
    properties,
    least(created_at, first_event_at) AS created_at,
    updated_at
FROM warehouse.items
LEFT JOIN first_event USING (item_id)
WHERE created_at < $as_of OR first_event_at IS NOT NULL OR NOT dated
ORDER BY item_id
