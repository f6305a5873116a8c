-- grain: one line of the last month's events file, with the rule it breaks where it was damaged on purpose
-- A damaged line is an extra copy of the row before it; rows of the month before come first, delivered once more by mistake.
WITH faults (fault, rule, column_name) AS (
    VALUES
    (0, 'bad_timestamp', 'created_at'),
    (1, 'future_timestamp', 'created_at'),
    (2, 'unknown_profile', 'customer_id'),
    (3, 'unknown_event_type', 'event_type'),
    (4, 'missing_property', 'event_properties>>item_id'),
    (5, 'bad_type', 'event_properties>>seconds'),
    (6, 'missing_required', 'event_type'),
    (7, 'bad_identifier', 'customer_id'),
    (8, 'column_count', ''),
    (9, 'column_count', ''),
    (10, 'missing_property', 'event_properties>>channel'),
    (11, 'missing_required', 'customer_id')
),
numbered AS (
    SELECT
        row_number() OVER (
            ORDER BY
                created_at, customer_id, event_type, "event_properties>>item_id", "event_properties>>amount",
                "event_properties>>payment_method", "event_properties>>seconds", "event_properties>>reason"
        ) AS place,
        *
    FROM sample_last_events
),
copies AS (
    SELECT numbered.*, place * $damaged // $rows AS copy, NULL AS fault, NULL AS rule, NULL AS column_name FROM numbered
    UNION ALL
    SELECT numbered.*, place * $damaged // $rows AS copy, faults.fault, rule, column_name
    FROM numbered
    JOIN faults ON fault = (place * $damaged // $rows) % (SELECT count(*) FROM faults)
    WHERE place * $damaged // $rows > (place - 1) * $damaged // $rows
),
damaged AS (
    SELECT
        place, fault, rule, column_name,
        CASE fault
            WHEN 3 THEN 'teleported' WHEN 4 THEN 'charged' WHEN 5 THEN 'view' WHEN 6 THEN '' WHEN 10 THEN 'complaint' ELSE event_type
        END AS event_type,
        CASE fault WHEN 2 THEN 'ghost-' || copy WHEN 7 THEN 'ghost,' || copy WHEN 11 THEN '' ELSE customer_id END AS customer_id,
        CASE fault
            WHEN 0 THEN ['2026-13-01 10:00:00', 'yesterday', '31/12/2025'][(copy // 12) % 3 + 1]
            WHEN 1 THEN '2199-01-01 00:00:00'
            ELSE strftime(created_at, '%Y-%m-%d %H:%M:%S')
        END AS created_at,
        CASE fault WHEN 4 THEN '' WHEN 5 THEN coalesce("event_properties>>item_id", 'none-1') WHEN 10 THEN '' ELSE "event_properties>>item_id" END AS item_id,
        CASE WHEN fault = 4 THEN 'card' WHEN fault IN (5, 10) THEN '' ELSE "event_properties>>payment_method" END AS payment_method,
        CASE WHEN fault IN (5, 10) THEN '' WHEN fault = 4 THEN '100' ELSE "event_properties>>amount" END AS amount,
        CASE WHEN fault IN (5, 10) THEN '' WHEN fault = 4 THEN '1' ELSE "event_properties>>quantity" END AS quantity,
        CASE WHEN fault = 5 THEN 'soon' WHEN fault IN (4, 10) THEN '' ELSE "event_properties>>seconds"::VARCHAR END AS seconds,
        CASE WHEN fault IN (4, 5, 10) THEN '' ELSE "event_properties>>channel" END AS channel,
        CASE WHEN fault IN (4, 5, 10) THEN '' ELSE "event_properties>>reason" END AS reason
    FROM copies
),
worded AS (
    SELECT
        place, rule, column_name,
        CASE column_name
            WHEN 'created_at' THEN created_at WHEN 'customer_id' THEN customer_id WHEN 'event_type' THEN event_type
            WHEN 'event_properties>>seconds' THEN seconds ELSE ''
        END AS value,
        CASE
            WHEN fault = 8 THEN concat_ws(',', event_type, customer_id, created_at)
            ELSE concat_ws(
                ',',
                event_type,
                sample_cell(customer_id),
                created_at,
                sample_cell(item_id),
                sample_cell(payment_method),
                sample_cell(amount),
                sample_cell(quantity),
                sample_cell(seconds),
                sample_cell(channel),
                sample_cell(reason),
                CASE WHEN fault = 9 THEN 'one cell too many' END
            )
        END AS line
    FROM damaged
)
SELECT 1 AS line_number, NULL AS rule, NULL AS column_name, NULL AS value,
    'event_type,customer_id,created_at,event_properties>>item_id,event_properties>>payment_method,event_properties>>amount,'
    || 'event_properties>>quantity,event_properties>>seconds,event_properties>>channel,event_properties>>reason' AS line
UNION ALL
SELECT 1 + row_number() OVER (ORDER BY place, rule IS NOT NULL), rule, column_name, value, line
FROM worded
