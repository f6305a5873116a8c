-- grain: one profile, with its tastes, rhythm and fate (what the delivered files only show through its behaviour)
WITH keyed AS (
    SELECT
        profile_index::INTEGER AS profile_index,
        sample_key(sample_key($seed, 3), profile_index) AS key
    FROM range($profiles) AS profiles (profile_index)
),
circled AS (
    SELECT *, sample_key(sample_key($seed, 4), sample_pick(key, 1, 16)) AS taste FROM keyed
),
drawn AS (
    SELECT
        profile_index,
        key,
        -- two in ten tastes are a person's own, the others their circle's
        sample_pick(CASE WHEN sample_unit(key, 2) < 0.2 THEN key ELSE taste END, 3, $categories) AS first_category,
        sample_pick(CASE WHEN sample_unit(key, 4) < 0.2 THEN key ELSE taste END, 5, $categories) AS second_category,
        sample_pick(CASE WHEN sample_unit(key, 6) < 0.3 THEN key ELSE taste END, 7, $categories) AS third_category,
        sample_pick(CASE WHEN sample_unit(key, 8) < 0.2 THEN key ELSE taste END, 9, $families) AS first_family,
        sample_pick(CASE WHEN sample_unit(key, 10) < 0.3 THEN key ELSE taste END, 11, $families) AS second_family,
        sample_pick(CASE WHEN sample_unit(key, 12) < 0.1 THEN key ELSE taste END, 13, 4) AS circle,
        least(pow(1.0 - sample_unit(key, 14), -0.6), 25.0) AS zeal,  -- Pareto: few people buy much
        sample_unit(key, 15) AS plan_draw,
        CASE
            WHEN sample_unit(key, 16) < 0.45 THEN -1 - floor(500 * pow(sample_unit(key, 17), 2))
            ELSE floor($days * pow(sample_unit(key, 17), 0.9))
        END::INTEGER AS signup_day,
        sample_pick(key, 18, 64800) + 14400 AS signup_second,
        (18 + 62 * (0.5 * sample_unit(key, 19) + 0.3 * sample_unit(taste, 19) + 0.2 * sample_unit(key, 20)))::INTEGER AS age,
        sample_unit(key, 21) < 0.07 AS age_unknown,
        sample_unit(key, 22) < 0.55 AS newsletter,
        ['GB', 'GB', 'GB', 'GB', 'GB', 'GB', 'DE', 'DE', 'DE', 'DE', 'FR', 'FR', 'FR', 'NL', 'NL', 'IE', 'ES', 'IT', 'SE', 'DK']
            [sample_pick(key, 23, 20) + 1] AS country,
        sample_unit(key, 24) AS os_draw,
        sample_pick(key, 25, 6) AS app_minor,
        ['card', 'card', 'card', 'card', 'paypal', 'paypal', 'invoice', 'apple_pay', 'direct_debit', 'gift_card']
            [sample_pick(key, 26, 10) + 1] AS payment_method,
        0.12 + 0.30 * sample_unit(key, 27) AS staple_share,
        -- the three staples that a person keeps coming back to, as places on the staple shelf
        [sample_unit(key, 33), sample_unit(key, 34), sample_unit(key, 35)] AS staples,
        sample_unit(key, 28) - 0.5 AS temper,  -- what no column shows: without it churn would be too easy
        sample_unit(key, 29) < 0.65 AS fades,
        sample_unit(key, 30) < 0.45 AS says_goodbye
    FROM circled
),
planned AS (
    SELECT
        *,
        CASE
            WHEN plan_draw + 0.05 * least(zeal, 8.0) < 0.62 THEN 'free'
            WHEN plan_draw + 0.05 * least(zeal, 8.0) < 0.94 THEN 'plus'
            ELSE 'gold'
        END AS plan
    FROM drawn
),
monthly AS (
    SELECT
        profile_index,
        month_index,
        from_day,
        to_day,
        sample_unit(sample_key(key, 1000 + month_index), 1) AS fate_draw,
        -4.15
        + CASE plan WHEN 'free' THEN 1.15 WHEN 'gold' THEN -1.0 ELSE 0.0 END
        - CASE WHEN newsletter THEN 0.45 ELSE 0.0 END
        + CASE WHEN age < 30 THEN 0.4 ELSE 0.0 END
        + CASE WHEN from_day - signup_day < 90 THEN 0.5 ELSE 0.0 END
        - 0.35 * ln(zeal)
        + 1.6 * temper
        + 1.1 * sample_complains(key, month_index)::INTEGER
        + 0.9 * sample_complains(key, month_index - 1)::INTEGER
        + 0.6 * sample_complains(key, month_index - 2)::INTEGER AS log_odds
    FROM planned
    JOIN sample_months ON signup_day < from_day
),
leaving AS (
    SELECT profile_index, min(month_index) AS churn_month
    FROM monthly
    WHERE fate_draw < 1.0 / (1.0 + exp(-log_odds))
    GROUP BY profile_index
)
SELECT
    planned.*,
    'c' || (10 ** greatest(4, length($profiles::VARCHAR)) + profile_index)::BIGINT AS customer_id,
    signup_day::BIGINT * 86400 + signup_second AS signup_at,
    churn_month,
    from_day::BIGINT * 86400 + floor(sample_unit(key, 31) * (to_day - from_day) * 86400)::BIGINT AS churn_at,
    $visits * zeal AS visits_per_month
FROM planned
LEFT JOIN leaving USING (profile_index)
LEFT JOIN sample_months ON month_index = churn_month
ORDER BY profile_index
