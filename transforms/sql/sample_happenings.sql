-- grain: one event that the month's visits, complaints and departures cause, some of them (returned) in the next month
WITH lines AS (
    SELECT profile_index, visit * 16 + line AS sequence, line_key, moment, buys, signup_at, item_index, return_rate
    FROM sample_lines
    JOIN sample_items USING (item_index)
),
months AS (
    SELECT from_day, to_day, month_index FROM sample_months WHERE month_index = $month
)
SELECT profile_index, sequence, line_key AS key, moment, if(buys, 'charged', 'view') AS event_type, item_index
FROM lines
UNION ALL
SELECT profile_index, sequence, line_key, moment - 60 - sample_pick(line_key, 21, 900), 'view', item_index
FROM lines
CROSS JOIN months
WHERE buys
    AND sample_unit(line_key, 20) < 0.40
    AND moment - 960 >= greatest(signup_at, from_day * 86400)
UNION ALL
SELECT profile_index, sequence, line_key, moment + 86400 * (2 + sample_pick(line_key, 23, 19)) + sample_pick(line_key, 24, 7200), 'returned', item_index
FROM lines
WHERE buys AND sample_unit(line_key, 22) < return_rate
UNION ALL
SELECT profile_index, 0, sample_key(key, 5000 + month_index), complained_at, 'complaint', NULL
FROM (
    SELECT
        *,
        from_day::BIGINT * 86400 + sample_pick(key, 4000 + month_index, (to_day - from_day) * 86400) AS complained_at
    FROM sample_profiles
    CROSS JOIN months
    WHERE sample_complains(key, month_index)
)
WHERE complained_at >= signup_at AND (churn_month IS NULL OR complained_at < churn_at)
UNION ALL
SELECT profile_index, 1, sample_key(key, 6000), churn_at, 'churned', NULL
FROM sample_profiles
CROSS JOIN months
WHERE churn_month = month_index AND says_goodbye
