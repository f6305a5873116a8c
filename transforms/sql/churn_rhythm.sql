-- grain: one profile with activity before $cut; what its active days tell beyond profile_features
-- $since is the first activity of anybody: history that began about then is cut off, so its tenure and counts say less.
WITH days AS (
    SELECT profile_id, created_at::DATE AS day
    FROM events
    WHERE created_at < $cut::TIMESTAMP AND list_contains($activity_event_types::VARCHAR[], event_type)
    GROUP BY ALL
),
spaced AS (
    SELECT
        profile_id,
        $cut::DATE - day AS age,
        day - lag(day) OVER (PARTITION BY profile_id ORDER BY day) AS gap,
        $cut::DATE - max(day) OVER (PARTITION BY profile_id) AS silence
    FROM days
),
summed AS (
    SELECT
        profile_id,
        count(*) AS days,
        max(age) AS tenure,
        any_value(silence) AS silence,
        -- in 2^-32: integers add up the same in any order
        sum(round(pow(2, 32 - age / 30.0::DOUBLE))::HUGEINT) AS decayed_30,
        sum(round(pow(2, 32 - age / 60.0::DOUBLE))::HUGEINT) AS decayed_60,
        sum(round(pow(2, 32 - age / 120.0::DOUBLE))::HUGEINT) AS decayed_120,
        sum(round(pow(2, 32 - age / 240.0::DOUBLE))::HUGEINT) AS decayed_240,
        count(*) FILTER (age > 275 AND age <= 365) AS days_year_ago,
        count(DISTINCT age // 30) FILTER (age < 360) AS months,
        median(gap)::DOUBLE AS gap_median,
        count(*) FILTER (gap > silence) AS longer,
        count(gap) AS gaps
    FROM spaced
    GROUP BY profile_id
)
SELECT
    profile_id,
    decayed_30::DOUBLE / pow(2, 32) AS active_days_decayed_30d,
    decayed_60::DOUBLE / pow(2, 32) AS active_days_decayed_60d,
    decayed_120::DOUBLE / pow(2, 32) AS active_days_decayed_120d,
    decayed_240::DOUBLE / pow(2, 32) AS active_days_decayed_240d,
    days_year_ago::DOUBLE AS active_days_year_ago,
    months::DOUBLE AS active_months_360d,
    gap_median AS gap_median_days,
    silence::DOUBLE / nullif(gap_median, 0) AS recency_to_gap_median,
    longer::DOUBLE / nullif(gaps, 0) AS gaps_longer_share,
    exp(-greatest($cut::DATE - $since::DATE - tenure, 0) / 90.0::DOUBLE) AS history_cut,
    exp(-greatest($cut::DATE - $since::DATE - tenure, 0) / 90.0::DOUBLE) / days AS history_cut_per_day
FROM summed
