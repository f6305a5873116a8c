-- grain: one item as delivered; what follows item_price are open feature columns
SELECT
    item_id,
    item_category,
    item_name,
    item_description,
    item_price,
    brand,
    style,
    tags,
    strftime(launched, '%Y-%m-%d') AS launched
FROM sample_items
ORDER BY item_index
