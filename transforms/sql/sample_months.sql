-- grain: one calendar month of the sampled period; factor is its demand in mean months of 30 days
SELECT
    month_index,
    strftime(min(day), '%Y-%m') AS name,
    month(min(day))::INTEGER AS calendar_month,
    min(day_index) AS from_day,
    max(day_index) + 1 AS to_day,
    sum(weight)::DOUBLE / 30000000.0 AS factor
FROM sample_days
GROUP BY month_index
ORDER BY month_index
