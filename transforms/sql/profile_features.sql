-- grain: one profile of the run; every value is from events before $as_of, which may be earlier than the run's cut-off
WITH activity AS (
    SELECT
        e.profile_id,
        e.item_id,
        e.created_at::DATE AS day,
        date_diff('second', e.created_at, $as_of::TIMESTAMP) AS age,
        -- in ten-thousandths: integers add up the same in any order (a direct cast to DECIMAL is a hundred times slower)
        coalesce(
            try_cast(round(10000 * try_cast(json_extract_string(e.properties, $amount_pointer) AS DOUBLE)) AS BIGINT)::HUGEINT,
            i.item_price::HUGEINT * 10000,
            0
        ) AS amount
    FROM events AS e
    LEFT JOIN items AS i ON i.item_id = e.item_id
    WHERE e.created_at < $as_of::TIMESTAMP AND list_contains($activity_event_types::VARCHAR[], e.event_type)
),
active AS (
    -- sums are of integers, so their value does not depend on the order or the number of threads
    SELECT
        profile_id,
        count(*) AS events,
        min(age) AS recency,
        max(age) AS tenure,
        count(DISTINCT item_id) AS items,
        sum(amount) / 10000.0::DOUBLE AS amount,
        count(*) FILTER (age <= 30 * 86400) AS events_30d,
        count(*) FILTER (age <= 90 * 86400) AS events_90d,
        count(*) FILTER (age <= 180 * 86400) AS events_180d,
        count(*) FILTER (age <= 365 * 86400) AS events_365d,
        count(*) FILTER (age > 275 * 86400 AND age <= 365 * 86400) AS events_year_ago,
        coalesce(sum(amount) FILTER (age <= 30 * 86400), 0) / 10000.0::DOUBLE AS amount_30d,
        coalesce(sum(amount) FILTER (age <= 90 * 86400), 0) / 10000.0::DOUBLE AS amount_90d,
        coalesce(sum(amount) FILTER (age <= 180 * 86400), 0) / 10000.0::DOUBLE AS amount_180d,
        coalesce(sum(amount) FILTER (age <= 365 * 86400), 0) / 10000.0::DOUBLE AS amount_365d
    FROM activity
    GROUP BY profile_id
),
spaced AS (
    SELECT profile_id, day, date_diff('day', lag(day) OVER (PARTITION BY profile_id ORDER BY day), day) AS gap
    FROM (SELECT DISTINCT profile_id, day FROM activity)
),
rhythm AS (
    SELECT
        profile_id,
        count(*) AS active_days,
        count(*) FILTER (day >= $as_of::DATE - 90) AS active_days_90d,
        count(*) FILTER (day >= $as_of::DATE - 365) AS active_days_365d,
        count(gap) AS gaps,
        sum(gap) AS gap_sum,
        sum(gap * gap) AS gap_squares,
        max(gap) AS gap_longest,
        max_by(gap, day) AS gap_last
    FROM spaced
    GROUP BY profile_id
),
other AS (
    SELECT
        profile_id,
        count(*) AS other_events,
        count(*) FILTER (created_at >= $as_of::TIMESTAMP - INTERVAL 90 DAY) AS other_events_90d,
        min(date_diff('second', created_at, $as_of::TIMESTAMP)) AS other_recency,
        count(*) FILTER (event_type = 'churned') AS churned_events
    FROM events
    WHERE created_at < $as_of::TIMESTAMP AND NOT list_contains($activity_event_types::VARCHAR[], event_type)
    GROUP BY profile_id
),
charged AS (
    -- the delivered flag counts only for a profile of which no charged event is known at any time
    SELECT profile_id, bool_or(created_at < $as_of::TIMESTAMP) AS before
    FROM events
    WHERE event_type = 'charged'
    GROUP BY profile_id
)
SELECT
    p.profile_id,
    coalesce(a.events, 0)::INTEGER AS events,
    a.recency / 86400.0::DOUBLE AS recency_days,
    a.tenure / 86400.0::DOUBLE AS tenure_days,
    coalesce(r.active_days, 0)::INTEGER AS active_days,
    coalesce(a.amount, 0)::DOUBLE AS amount,
    coalesce(a.items, 0)::INTEGER AS items,
    coalesce(a.events_30d, 0)::INTEGER AS events_30d,
    coalesce(a.events_90d, 0)::INTEGER AS events_90d,
    coalesce(a.events_180d, 0)::INTEGER AS events_180d,
    coalesce(a.events_365d, 0)::INTEGER AS events_365d,
    coalesce(a.events_year_ago, 0)::INTEGER AS events_year_ago,
    coalesce(a.amount_30d, 0)::DOUBLE AS amount_30d,
    coalesce(a.amount_90d, 0)::DOUBLE AS amount_90d,
    coalesce(a.amount_180d, 0)::DOUBLE AS amount_180d,
    coalesce(a.amount_365d, 0)::DOUBLE AS amount_365d,
    coalesce(r.active_days_90d, 0)::INTEGER AS active_days_90d,
    coalesce(r.active_days_365d, 0)::INTEGER AS active_days_365d,
    r.gap_sum::DOUBLE / nullif(r.gaps, 0) AS gap_mean_days,
    CASE WHEN r.gaps >= 2 THEN
        sqrt((r.gaps * r.gap_squares - r.gap_sum * r.gap_sum)::DOUBLE / (r.gaps * (r.gaps - 1))) END AS gap_std_days,
    r.gap_longest::DOUBLE AS gap_longest_days,
    r.gap_last::DOUBLE AS gap_last_days,
    (a.recency / 86400.0::DOUBLE) / (r.gap_sum::DOUBLE / nullif(r.gaps, 0)) AS recency_to_gap,
    ln((coalesce(a.events_90d, 0) + 1.0::DOUBLE) / (coalesce(a.events_180d - a.events_90d, 0) + 1)) AS trend_events,
    ln((greatest(coalesce(a.amount_90d, 0), 0) + 1)
        / (greatest(coalesce(a.amount_180d - a.amount_90d, 0), 0) + 1)) AS trend_amount,
    a.events::DOUBLE / r.active_days AS events_per_active_day,
    a.amount / r.active_days AS amount_per_active_day,
    a.items::DOUBLE / a.events AS item_variety,
    coalesce(o.other_events, 0)::INTEGER AS other_events,
    coalesce(o.other_events_90d, 0)::INTEGER AS other_events_90d,
    o.other_recency / 86400.0::DOUBLE AS other_recency_days,
    coalesce(o.churned_events, 0)::INTEGER AS churned_events,
    coalesce(c.before, p.has_charged, false) AS has_charged
FROM profiles AS p
LEFT JOIN active AS a USING (profile_id)
LEFT JOIN rhythm AS r USING (profile_id)
LEFT JOIN other AS o USING (profile_id)
LEFT JOIN charged AS c USING (profile_id)
ORDER BY p.profile_id
