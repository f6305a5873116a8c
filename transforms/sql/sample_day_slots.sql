-- grain: one of the 1,024 equal slots of a month; drawing a slot draws a day with its weight
WITH summed AS (
    SELECT
        month_index,
        day_index,
        weight,
        sum(weight) OVER (PARTITION BY month_index ORDER BY day_index)::BIGINT AS upto,
        sum(weight) OVER (PARTITION BY month_index)::BIGINT AS total
    FROM sample_days
)
SELECT summed.month_index, slots.slot::INTEGER AS slot, summed.day_index
FROM range(1024) AS slots (slot)
JOIN summed
    ON slots.slot * summed.total >= (summed.upto - summed.weight) * 1024
    AND slots.slot * summed.total < summed.upto * 1024
ORDER BY month_index, slot
