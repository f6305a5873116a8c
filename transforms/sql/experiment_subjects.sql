-- grain: one A/B test and person exposed to it before $as_of: a profile, or a session that is nobody's yet
WITH seen AS (
    SELECT
        e.test_id,
        coalesce(e.profile_id, s.profile_id, 'session ' || e.subject) AS person,
        e.group_name,
        e.first_at,
        coalesce(e.crossed_at < $as_of, false) AS crossed
    FROM warehouse.exposures AS e
    LEFT JOIN sessions AS s ON e.subject_kind = 'session' AND s.session_id = e.subject
    WHERE e.first_at < $as_of
),
people AS (
    -- The group of the first exposure counts, whatever came later: what it was drawn by knows nothing of what followed.
    SELECT
        test_id,
        person,
        min({'at': first_at, 'group_name': group_name}) AS first,
        bool_or(crossed) OR count(DISTINCT group_name) > 1 AS crossed
    FROM seen
    GROUP BY test_id, person
),
goals AS (
    SELECT profile_id AS person, created_at FROM events WHERE list_contains($goals, event_type)
    UNION ALL
    SELECT 'session ' || session_id, created_at FROM session_events WHERE list_contains($goals, event_type)
),
converted AS (
    SELECT DISTINCT p.test_id, p.person
    FROM people AS p
    JOIN goals AS g USING (person)
    WHERE g.created_at > p.first.at AND g.created_at < p.first.at + to_days($window_days)
)
SELECT
    p.test_id,
    p.person,
    p.first.group_name AS group_name,
    p.first.at AS first_at,
    p.first.at + to_days($window_days) AS judged_at,
    p.crossed,
    c.person IS NOT NULL AS converted
FROM people AS p
LEFT JOIN converted AS c ON c.test_id = p.test_id AND c.person = p.person
