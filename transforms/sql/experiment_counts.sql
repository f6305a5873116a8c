-- grain: one A/B test and day, from its first exposure to $as_of, with all that was counted until the day's end
WITH changes AS (
    SELECT test_id, group_name, CAST(first_at AS DATE) AS day, 1 AS subjects, 0 AS judged, 0 AS converted
    FROM experiment_subjects
    UNION ALL
    -- A subject is judged when its window has passed, so that what was counted of it never changes.
    SELECT test_id, group_name, CAST(judged_at AS DATE), 0, 1, CAST(converted AS INTEGER)
    FROM experiment_subjects
    WHERE judged_at < $as_of
),
daily AS (
    SELECT
        test_id,
        day,
        sum(subjects) FILTER (group_name = 'A') AS subjects_a,
        sum(subjects) FILTER (group_name = 'B') AS subjects_b,
        sum(judged) FILTER (group_name = 'A') AS judged_a,
        sum(judged) FILTER (group_name = 'B') AS judged_b,
        sum(converted) FILTER (group_name = 'A') AS converted_a,
        sum(converted) FILTER (group_name = 'B') AS converted_b
    FROM changes
    GROUP BY test_id, day
),
calendar AS (
    SELECT
        test_id,
        CAST(unnest(generate_series(min(day), CAST($as_of - INTERVAL 1 MICROSECOND AS DATE), INTERVAL 1 DAY)) AS DATE) AS day
    FROM daily
    GROUP BY test_id
)
SELECT
    test_id,
    day,
    CAST(coalesce(sum(subjects_a) OVER until_then, 0) AS BIGINT) AS subjects_a,
    CAST(coalesce(sum(subjects_b) OVER until_then, 0) AS BIGINT) AS subjects_b,
    CAST(coalesce(sum(judged_a) OVER until_then, 0) AS BIGINT) AS judged_a,
    CAST(coalesce(sum(judged_b) OVER until_then, 0) AS BIGINT) AS judged_b,
    CAST(coalesce(sum(converted_a) OVER until_then, 0) AS BIGINT) AS converted_a,
    CAST(coalesce(sum(converted_b) OVER until_then, 0) AS BIGINT) AS converted_b
FROM calendar
LEFT JOIN daily USING (test_id, day)
WINDOW until_then AS (PARTITION BY test_id ORDER BY day)
ORDER BY test_id, day
