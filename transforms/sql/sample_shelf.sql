-- grain: one item on sale in one week of the month, as one of four circles of taste ranks it; position 1 sells best in its cell
-- The last cell, of week and circle 0, holds the staples on sale from the start: their order never changes, so people find theirs again.
WITH weeks AS (
    SELECT DISTINCT week_index FROM sample_days WHERE month_index = $month
),
ranked AS (
    SELECT
        week_index,
        circle::INTEGER AS circle,
        cell,
        item_index,
        appeal
        + 0.45 * sample_unit(key, 20 + circle)
        + CASE WHEN week_index * 7 - launch_day < 63 THEN 0.5 * (1.0 - (week_index * 7 - launch_day) / 63.0) ELSE 0.0 END AS score
    FROM sample_items
    JOIN weeks ON launch_day < greatest(week_index * 7, 1)
    CROSS JOIN range(4) AS circles (circle)
)
SELECT
    week_index,
    circle,
    cell,
    row_number() OVER (PARTITION BY week_index, circle, cell ORDER BY score DESC, item_index) AS position,
    item_index
FROM ranked
UNION ALL
SELECT
    0 AS week_index,
    0 AS circle,
    ($categories * $families)::INTEGER AS cell,
    row_number() OVER (ORDER BY appeal DESC, item_index) AS position,
    item_index
FROM sample_items
WHERE staple AND launch_day < 0
