-- grain: one profile of churn_population at $cut that is not explicitly churned and not excluded, with its label over the next $horizon_days
-- `duration` is whole days from $cut until the churn, or until $as_of when `event` is false; label 1 has duration <= $horizon_days.
-- `activity` is the number of dates with activity within the horizon. Under inactivity a churn counts when the silence of $horizon_days that begins at or after $cut is complete.
WITH bounds AS (
    SELECT $cut::TIMESTAMP AS cut, $cut::TIMESTAMP + to_days($horizon_days::INTEGER) AS until
),
acted AS (
    SELECT e.profile_id, count(DISTINCT e.created_at::DATE) AS days
    FROM events AS e, bounds AS b
    WHERE e.created_at >= b.cut AND e.created_at < b.until AND list_contains($activity_event_types::VARCHAR[], e.event_type)
    GROUP BY e.profile_id
),
churned AS (
    SELECT
        profile_id,
        max(churned_at) FILTER (churned_at < b.until) AS within,
        min(churned_at) FILTER (churned_at >= b.until) AS later
    FROM churn_explicit, bounds AS b
    WHERE churned_at >= b.cut
    GROUP BY profile_id
),
ended AS (
    SELECT profile_id, max(ended_at) AS ended_at
    FROM churn_endings, bounds AS b
    WHERE ended_at >= b.cut AND ended_at < b.until
    GROUP BY profile_id
),
silent AS (
    SELECT profile_id, min(silent_from) AS silent_from FROM churn_silences, bounds AS b WHERE silent_from >= b.cut GROUP BY profile_id
),
labelled AS (
    SELECT
        p.profile_id,
        b.cut,
        churned.within IS NOT NULL AND coalesce(ended.ended_at <= churned.within, true) AS explicit,
        $inactivity AND acted.profile_id IS NULL AS inactive,
        coalesce(acted.days, 0)::INTEGER AS activity,
        churned.within,
        churned.later,
        silent.silent_from
    FROM churn_population AS p
    CROSS JOIN bounds AS b
    LEFT JOIN acted USING (profile_id)
    LEFT JOIN churned USING (profile_id)
    LEFT JOIN ended USING (profile_id)
    LEFT JOIN silent USING (profile_id)
    ANTI JOIN (SELECT profile_id FROM churn_exclusions WHERE reason <> 'no_activity') AS x ON x.profile_id = p.profile_id
    WHERE NOT p.explicitly_churned
)
SELECT
    profile_id,
    (explicit OR inactive)::INTEGER AS label,
    CASE
        WHEN inactive OR (explicit AND $inactivity) THEN $horizon_days
        WHEN explicit THEN greatest(1, ceil(date_diff('second', cut, within) / 86400.0))
        WHEN $inactivity AND silent_from IS NOT NULL THEN greatest(1, ceil(date_diff('second', cut, silent_from) / 86400.0)) + $horizon_days
        WHEN NOT $inactivity AND later IS NOT NULL THEN greatest($horizon_days + 1, ceil(date_diff('second', cut, later) / 86400.0))
        ELSE greatest($horizon_days, floor(date_diff('second', cut, $as_of::TIMESTAMP) / 86400.0))
    END::INTEGER AS duration,
    explicit OR inactive OR CASE WHEN $inactivity THEN silent_from IS NOT NULL ELSE later IS NOT NULL END AS event,
    (md5_number_lower(profile_id) % 1000000)::INTEGER AS draw,
    activity
FROM labelled
ORDER BY profile_id
