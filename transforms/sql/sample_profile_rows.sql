-- grain: one profile as delivered; lists are JSON text, an empty cell is a missing value
SELECT
    customer_id,
    (signup_day < 0)::VARCHAR AS has_charged,
    country AS "profile_data>>country",
    plan AS "profile_data>>plan",
    CASE WHEN NOT age_unknown THEN age::VARCHAR END AS "profile_data>>age",
    newsletter::VARCHAR AS "profile_data>>newsletter",
    to_json(list_sort(list_distinct([first.category, second.category])))::VARCHAR AS "profile_data>>interests",
    strftime($first_day::DATE + signup_day, '%Y-%m-%d') AS "profile_data>>signed_up",
    CASE WHEN os_draw < 0.62 - 0.005 * age + 0.15 THEN 'ios' WHEN os_draw < 0.75 THEN 'android' ELSE 'web' END AS "platform_info>>os",
    '5.' || app_minor || '.' || sample_pick(key, 32, 4) AS "platform_info>>app_version"
FROM sample_profiles
JOIN sample_categories AS first ON first.category_index = first_category
JOIN sample_categories AS second ON second.category_index = second_category
ORDER BY profile_index
