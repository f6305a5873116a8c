-- grain: one item that somebody looks at or buys in a visit of the month; times are seconds since the period's first midnight
WITH active AS (
    SELECT
        profiles.*,
        months.month_index,
        sample_key(key, 3000 + months.month_index) AS month_key,
        (signup_day >= from_day)::INTEGER AS joins,
        visits_per_month * factor * CASE
            WHEN churn_month IS NULL OR NOT fades OR churn_month - months.month_index > 3 THEN 1.0
            ELSE [0.40, 0.45, 0.65, 0.85][churn_month - months.month_index + 1]
        END AS visits_mean
    FROM sample_profiles AS profiles
    JOIN sample_months AS months
        ON months.month_index = $month
        AND signup_day < to_day
        AND (churn_month IS NULL OR churn_month >= months.month_index)
),
counted AS (
    SELECT
        *,
        -- the sum of two geometric counts: steadier than one, less steady than Poisson; who signs up visits at once
        joins
        + least(40, sample_count(sample_unit(month_key, 1), visits_mean / 2))
        + least(40, sample_count(sample_unit(month_key, 2), visits_mean / 2)) AS visits
    FROM active
),
visited AS (
    SELECT * EXCLUDE (visits), unnest(range(visits))::INTEGER AS visit FROM counted
),
opened AS (
    SELECT *, joins = 1 AND visit = 0 AS first_visit, sample_key(month_key, 10 + visit) AS visit_key FROM visited
),
timed AS (
    SELECT
        opened.*,
        CASE
            WHEN first_visit THEN signup_at + 300
            ELSE day_index::BIGINT * 86400
                + floor(21600 + 64000 * (0.62 * sample_unit(visit_key, 2) + 0.38 * sample_unit(visit_key, 3)))::BIGINT
        END AS moment,
        sample_unit(visit_key, 4) < CASE WHEN first_visit THEN 0.85 ELSE 0.62 END AS buys
    FROM opened
    JOIN sample_day_slots AS slots
        ON slots.month_index = opened.month_index
        AND slots.slot = sample_pick(visit_key, 1, 1024)
),
baskets AS (
    SELECT
        *,
        unnest(range(1 + least(7, sample_count(sample_unit(visit_key, 5), CASE WHEN buys THEN 0.9 ELSE 0.6 END))))::INTEGER AS line
    FROM timed
    WHERE moment >= signup_at AND (churn_month IS NULL OR moment < churn_at)
),
keyed AS (
    SELECT *, sample_key(visit_key, 100 + line) AS line_key FROM baskets
),
wanted AS (
    SELECT
        profile_index, circle, staples, visit, line, line_key, moment, buys, signup_at,
        sample_unit(line_key, 1) < staple_share AS wants_staple,
        CASE
            WHEN sample_unit(line_key, 2) < 0.42 THEN first_category
            WHEN sample_unit(line_key, 2) < 0.64 THEN second_category
            WHEN sample_unit(line_key, 2) < 0.76 THEN third_category
            ELSE slots.category_index
        END AS category_index,
        CASE
            WHEN sample_unit(line_key, 4) < 0.58 THEN first_family
            WHEN sample_unit(line_key, 4) < 0.80 THEN second_family
            ELSE sample_pick(line_key, 5, $families)
        END AS family_index
    FROM keyed
    JOIN sample_category_slots AS slots
        ON slots.month_index = keyed.month_index
        AND slots.slot = sample_pick(line_key, 3, 256)
),
reached AS (
    SELECT
        profile_index, visit, line, line_key, moment, buys, signup_at,
        CASE WHEN wants_staple THEN 0 ELSE moment // 604800 END AS week_index,
        CASE WHEN wants_staple THEN 0 ELSE circle END AS circle,
        CASE WHEN wants_staple THEN $categories * $families ELSE category_index * $families + family_index END AS cell,
        CASE WHEN wants_staple THEN staples[sample_pick(line_key, 6, 3) + 1] ELSE sample_unit(line_key, 7) END AS shelf_draw
    FROM wanted
)
SELECT profile_index, visit, line, line_key, moment, buys, signup_at, item_index
FROM reached
JOIN sample_cells AS cells USING (week_index, circle, cell)
JOIN sample_shelf AS shelf USING (week_index, circle, cell)
WHERE shelf.position = sample_position(shelf_draw, cells.items)
