-- grain: one day of the sampled period; weight (millionths of a mean day's demand) carries the year, the week and slow growth
WITH days AS (
    SELECT
        day_index::INTEGER AS day_index,
        ($first_day::DATE + day_index::INTEGER) AS day
    FROM range($days) AS days (day_index)
),
shaped AS (
    SELECT
        day_index,
        day,
        1.0
        + 0.95 * exp(-pow((dayofyear(day) - 343) / 14.0, 2))
        + 0.20 * exp(-pow((dayofyear(day) - 150) / 25.0, 2))
        - 0.20 * exp(-pow((dayofyear(day) - 18) / 16.0, 2)) AS of_the_year,
        [1.15, 1.05, 0.95, 0.90, 0.92, 0.95, 1.20][dayofweek(day) + 1] AS of_the_week,
        CASE WHEN month(day) = 12 AND day(day) IN (24, 25, 26) THEN 0.45 ELSE 1.0 END AS of_the_day
    FROM days
)
SELECT
    day_index,
    day,
    ((year(day) * 12 + month(day)) - (year($first_day::DATE) * 12 + month($first_day::DATE)))::INTEGER AS month_index,
    (day_index // 7)::INTEGER AS week_index,
    round(1000000 * of_the_year * of_the_week * of_the_day)::BIGINT AS weight
FROM shaped
ORDER BY day_index
