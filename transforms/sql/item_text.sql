-- grain: one item; words to read and exact tokens, for content similarity
WITH properties AS (
    SELECT item_index, entry.key, entry.value
    FROM items, json_each(items.properties) AS entry
),
tokens AS (
    SELECT item_index, lower(key || '=' || (value ->> '$')) AS token
    FROM properties
    WHERE json_type(value) IN ('VARCHAR', 'BOOLEAN')
    UNION ALL
    SELECT item_index, lower(key || '=' || element) AS token
    FROM properties, unnest((value ->> '$[*]')::VARCHAR[]) AS elements(element)
    WHERE json_type(value) = 'ARRAY'
    UNION ALL
    SELECT item_index, lower('item_category=' || item_category) AS token
    FROM items
    WHERE coalesce(item_category, '') <> ''
),
listed AS (
    SELECT item_index, list(token ORDER BY token) AS tokens
    FROM tokens
    WHERE token IS NOT NULL
    GROUP BY item_index
)
SELECT
    item_index,
    concat_ws(' ', item_name, nullif(item_description, item_name), item_category) AS words,
    coalesce(tokens, []::VARCHAR[]) AS tokens
FROM items
LEFT JOIN listed USING (item_index)
ORDER BY item_index
