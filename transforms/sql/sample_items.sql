-- grain: one item of the shop; a cell is one category in one style family, and the first item of each cell is always on sale
WITH numbered AS (
    SELECT
        item_index::INTEGER AS item_index,
        (item_index % ($categories * $families))::INTEGER AS cell,
        (item_index // ($categories * $families))::INTEGER AS place,
        sample_key(sample_key($seed, 1), item_index) AS key
    FROM range($items) AS items (item_index)
),
drawn AS (
    SELECT
        *,
        sample_unit(key, 1) AS appeal,
        sample_unit(key, 2) AS price_draw,
        sample_unit(key, 3) AS launch_draw,
        sample_unit(key, 4) AS launch_place,
        sample_pick(key, 5, 5) AS brand_pick,
        sample_pick(sample_key($seed, 2), cell, 80) AS cell_offset
    FROM numbered
),
launched AS (
    SELECT
        *,
        CASE
            WHEN place = 0 OR launch_draw < 0.60 THEN -1 - floor(400 * launch_place)
            WHEN launch_draw < 0.94 THEN floor($days * launch_place)
            ELSE greatest(0, $days - 42 + floor(38 * launch_place))  -- cold: hardly anybody has bought it yet
        END::INTEGER AS launch_day,
        ((place + cell_offset) % 10)::INTEGER AS noun_pick,
        (((place + cell_offset) // 10) % 8)::INTEGER AS word_pick,
        (place // 80)::INTEGER AS edition
    FROM drawn
),
named AS (
    SELECT
        launched.*,
        category_index, category, code, staple, return_rate, purpose, price_low, price_high,
        family_index, family, price_factor, phrase,
        CASE WHEN staple THEN flavours ELSE words END[word_pick + 1] AS word,
        nouns[noun_pick + 1] AS noun,
        brands[brand_pick + 1] AS brand
    FROM launched
    JOIN sample_categories ON category_index = cell // $families
    JOIN sample_families ON family_index = cell % $families
)
SELECT
    item_index,
    code || (10 ** greatest(3, length($items::VARCHAR)) + item_index)::BIGINT AS item_id,
    cell,
    category_index,
    category AS item_category,
    word || ' ' || noun || CASE
        WHEN edition = 0 THEN ''
        WHEN edition < 8 THEN ', ' || ['large', 'small', 'set of two', 'mini', 'gift box', 'family size', 'limited'][edition]
        ELSE ', no. ' || edition
    END AS item_name,
    word || ' ' || noun || ' by ' || brand || '. ' || phrase || '. ' || purpose || '.' AS item_description,
    (greatest(1, round(price_low * pow(price_high / price_low, price_draw * price_draw) * price_factor / 50.0)) * 50 - 1)::BIGINT
        AS item_price,
    brand,
    family AS style,
    [lower(category), lower(family), split_part(noun, ' ', -1)] AS tags,
    staple,
    return_rate,
    launch_day,
    ($first_day::DATE + launch_day) AS launched,
    appeal,
    key
FROM named
ORDER BY item_index
