-- grain: one profile with a charged event in [$as_of - $window_days, $as_of), if there are $min_profiles of them
-- A digit is 1 + floor(4 * profiles with a strictly worse value / profiles); money is summed in ten-thousandths, exactly.
WITH charged AS (
    SELECT
        e.profile_id,
        e.created_at,
        coalesce(
            try_cast(round(10000 * try_cast(json_extract_string(e.properties, $amount_pointer) AS DOUBLE)) AS BIGINT)::HUGEINT,
            i.item_price::HUGEINT * 10000,
            0
        ) AS amount
    FROM events AS e
    SEMI JOIN profiles AS p ON p.profile_id = e.profile_id
    LEFT JOIN items AS i ON i.item_id = e.item_id
    WHERE e.event_type = 'charged' AND e.created_at < $as_of::TIMESTAMP
        AND e.created_at >= $as_of::TIMESTAMP - to_days($window_days::INTEGER)
),
measured AS (
    SELECT
        profile_id,
        (epoch_us($as_of::TIMESTAMP) - epoch_us(max(created_at))) // 86400000000 AS recency_days,
        count(DISTINCT created_at::DATE) AS frequency,
        sum(amount) AS amount
    FROM charged
    GROUP BY profile_id
),
ranked AS (
    SELECT
        *,
        1 + 4 * (rank() OVER (ORDER BY recency_days DESC) - 1) // count(*) OVER () AS r,
        1 + 4 * (rank() OVER (ORDER BY frequency) - 1) // count(*) OVER () AS f,
        1 + 4 * (rank() OVER (ORDER BY amount) - 1) // count(*) OVER () AS m
    FROM measured
    QUALIFY count(*) OVER () >= $min_profiles
)
SELECT
    profile_id,
    (100 * r + 10 * f + m)::INTEGER AS rfm_score,
    CASE
        WHEN r >= 3 AND f >= 3 AND m >= 3 THEN 'Best'
        WHEN r >= 3 AND f >= 3 THEN 'Loyal'
        WHEN r >= 3 AND m = 4 THEN 'Big spender'
        WHEN r = 4 AND f = 1 THEN 'New'
        WHEN r >= 3 THEN 'Promising'
        WHEN r = 2 AND (f >= 3 OR m >= 3) THEN 'At risk'
        WHEN r = 1 AND (f >= 3 OR m >= 3) THEN 'Lapsed valuable'
        WHEN r = 2 THEN 'Slipping'
        ELSE 'Lost'
    END AS rfm_segment_desc,
    recency_days::INTEGER AS recency_days,
    frequency::INTEGER AS frequency,
    amount / 10000.0::DOUBLE AS monetary
FROM ranked
ORDER BY profile_id
