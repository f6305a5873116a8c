-- grain: one profile that is no child in merge_families, with what its family gives it; profile_index is its position
-- Of each key the value and the map of the member at the lowest place count; a member that does not contribute gives none.
WITH entries AS (
    SELECT f.parent, f.place, 'profile_data' AS map, e.key, e.value::VARCHAR AS value
    FROM merge_families AS f JOIN profiles AS p USING (profile_id), json_each(coalesce(p.profile_data, '{}')) AS e
    WHERE f.contributes
    UNION ALL
    SELECT f.parent, f.place, 'platform_info', e.key, e.value::VARCHAR
    FROM merge_families AS f JOIN profiles AS p USING (profile_id), json_each(coalesce(p.platform_info, '{}')) AS e
    WHERE f.contributes
),
maps AS (
    SELECT
        parent AS profile_id,
        '{' || coalesce(string_agg(to_json(key)::VARCHAR || ':' || value, ',' ORDER BY key) FILTER (map = 'profile_data'), '')
            || '}' AS profile_data,
        '{' || coalesce(string_agg(to_json(key)::VARCHAR || ':' || value, ',' ORDER BY key) FILTER (map = 'platform_info'), '')
            || '}' AS platform_info
    FROM (FROM entries QUALIFY row_number() OVER (PARTITION BY parent, key ORDER BY place, map) = 1)
    GROUP BY parent
),
charged AS (
    SELECT f.parent AS profile_id, bool_or(p.has_charged) AS has_charged
    FROM merge_families AS f JOIN profiles AS p USING (profile_id)
    GROUP BY f.parent
)
SELECT
    p.profile_id,
    p.customer_id,
    (row_number() OVER (ORDER BY p.profile_id) - 1)::INTEGER AS profile_index,
    p.has_charged OR coalesce(c.has_charged, false) AS has_charged,
    p.status,
    coalesce(m.profile_data::JSON, p.profile_data) AS profile_data,
    coalesce(m.platform_info::JSON, p.platform_info) AS platform_info,
    p.created_at,
    p.updated_at,
    p.implicit
FROM profiles AS p
LEFT JOIN maps AS m USING (profile_id)
LEFT JOIN charged AS c USING (profile_id)
WHERE p.profile_id NOT IN (SELECT profile_id FROM merge_families WHERE profile_id <> parent)
ORDER BY p.profile_id
