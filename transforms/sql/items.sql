-- grain: one item known before $as_of; item_index is its position by item_id
-- An item is known from its own date, from its first event, or always when it came without a date of its own.
-- What was written through the API is in written_items; a deleted item is not known.
WITH first_event AS (
    SELECT item_id, min(created_at) AS first_event_at
    FROM warehouse.events
    WHERE created_at < $as_of AND item_id IS NOT NULL
    GROUP BY item_id
)
SELECT
    items.item_id,
    (row_number() OVER (ORDER BY items.item_id) - 1)::INTEGER AS item_index,
    CASE WHEN live THEN written.item_category ELSE items.item_category END AS item_category,
    CASE WHEN live THEN written.item_name ELSE items.item_name END AS item_name,
    CASE WHEN live THEN written.item_description ELSE items.item_description END AS item_description,
    CASE WHEN live THEN written.item_price ELSE items.item_price END AS item_price,
    CASE
        WHEN written_status_at >= coalesce(items.status_at, TIMESTAMP '-infinity') THEN written_status
        ELSE coalesce(items.status, 'active')
    END AS status,
    CASE WHEN live THEN written.properties ELSE items.properties END AS properties,
    least(items.created_at, first_event_at) AS created_at,
    greatest(items.updated_at, written_at) AS updated_at
FROM warehouse.items AS items
LEFT JOIN first_event ON first_event.item_id = items.item_id
LEFT JOIN written_items AS written ON written.item_id = items.item_id
WHERE (items.created_at < $as_of OR first_event_at IS NOT NULL OR NOT dated) AND coalesce(live, true)
ORDER BY items.item_id
