-- grain: one line of the profiles file, with the rule it breaks where it was damaged on purpose
-- A damaged line is an extra copy of the row before it: the good rows are the same with and without it.
WITH faults (fault, rule, column_name) AS (
    VALUES
    (0, 'duplicate_in_file', 'customer_id'),
    (1, 'bad_type', 'profile_data>>age'),
    (2, 'missing_required', 'customer_id'),
    (3, 'bad_identifier', 'customer_id'),
    (4, 'column_count', '')
),
numbered AS (
    SELECT row_number() OVER (ORDER BY customer_id) AS place, * FROM sample_profile_rows
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
    SELECT * REPLACE (
        CASE fault WHEN 1 THEN 'new-' || copy WHEN 2 THEN '' WHEN 3 THEN 'new,' || copy WHEN 4 THEN 'new-' || copy ELSE customer_id END
            AS customer_id,
        CASE fault WHEN 1 THEN 'forty' ELSE "profile_data>>age" END AS "profile_data>>age"
    )
    FROM copies
),
worded AS (
    SELECT
        place, rule, column_name,
        CASE column_name WHEN 'customer_id' THEN customer_id WHEN 'profile_data>>age' THEN "profile_data>>age" ELSE '' END AS value,
        concat_ws(
            ',',
            sample_cell(customer_id),
            sample_cell(has_charged),
            sample_cell("profile_data>>country"),
            sample_cell("profile_data>>plan"),
            sample_cell("profile_data>>age"),
            sample_cell("profile_data>>newsletter"),
            sample_cell("profile_data>>interests"),
            sample_cell("profile_data>>signed_up"),
            sample_cell("platform_info>>os"),
            sample_cell("platform_info>>app_version"),
            CASE WHEN fault = 4 THEN 'one cell too many' END
        ) AS line
    FROM damaged
)
SELECT 1 AS line_number, NULL AS rule, NULL AS column_name, NULL AS value,
    'customer_id,has_charged,profile_data>>country,profile_data>>plan,profile_data>>age,profile_data>>newsletter,profile_data>>interests,'
    || 'profile_data>>signed_up,platform_info>>os,platform_info>>app_version' AS line
UNION ALL
SELECT 1 + row_number() OVER (ORDER BY place, rule IS NOT NULL), rule, column_name, value, line
FROM worded
