-- grain: one event of the month as delivered, in order of time; customer_id and event_properties>>* are columns of the file
SELECT
    event_type,
    customer_id,
    (make_timestamp(0) + to_seconds(epoch($first_day::TIMESTAMP)::BIGINT + moment)) AS created_at,
    item_id AS "event_properties>>item_id",
    CASE
        -- a blank payment method is no fault: it is read as unknown
        WHEN event_type = 'charged' AND sample_unit(happened.key, 30) >= 0.004
            THEN CASE WHEN sample_unit(happened.key, 31) < 0.9 THEN payment_method ELSE 'card' END
    END AS "event_properties>>payment_method",
    CASE WHEN event_type = 'charged' THEN (item_price * quantity)::VARCHAR END AS "event_properties>>amount",
    CASE WHEN event_type = 'charged' THEN quantity::VARCHAR END AS "event_properties>>quantity",
    CASE WHEN event_type = 'view' THEN 5 + sample_count(sample_unit(happened.key, 34), 40.0) END AS "event_properties>>seconds",
    CASE WHEN event_type = 'complaint' THEN ['email', 'phone', 'chat'][sample_pick(happened.key, 35, 3) + 1] END
        AS "event_properties>>channel",
    CASE event_type
        WHEN 'returned' THEN ['changed mind', 'damaged', 'does not fit', 'not as described'][sample_pick(happened.key, 36, 4) + 1]
        WHEN 'complaint' THEN ['delivery', 'quality', 'billing', 'support'][sample_pick(happened.key, 36, 4) + 1]
        WHEN 'churned' THEN ['price', 'quality', 'moved', 'no longer needed'][sample_pick(happened.key, 36, 4) + 1]
    END AS "event_properties>>reason"
FROM (
    SELECT
        *,
        1 + least(5, sample_count(sample_unit(key, 33), CASE WHEN event_type = 'charged' THEN 0.28 ELSE 0.01 END)) AS quantity
    FROM sample_happened
    WHERE moment < $to_day * 86400
) AS happened
JOIN sample_profiles USING (profile_index)
LEFT JOIN sample_items USING (item_index)
ORDER BY moment, profile_index, sequence, event_type
