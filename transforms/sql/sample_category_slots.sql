-- grain: one of the 256 equal slots of a month; drawing a slot draws a category with its weight in that season
WITH weighed AS (
    SELECT
        sample_months.month_index,
        category_index,
        round(1000 * weight * season[calendar_month])::BIGINT AS weight
    FROM sample_months
    CROSS JOIN sample_categories
),
summed AS (
    SELECT
        month_index,
        category_index,
        weight,
        sum(weight) OVER (PARTITION BY month_index ORDER BY category_index)::BIGINT AS upto,
        sum(weight) OVER (PARTITION BY month_index)::BIGINT AS total
    FROM weighed
)
SELECT summed.month_index, slots.slot::INTEGER AS slot, summed.category_index
FROM range(256) AS slots (slot)
JOIN summed
    ON slots.slot * summed.total >= (summed.upto - summed.weight) * 256
    AND slots.slot * summed.total < summed.upto * 256
ORDER BY month_index, slot
