-- grain: one profile that carries the authenticated id, if there are three; its group, and its place in it from 1
SELECT
    p.profile_id,
    p.value,
    count(*) OVER (PARTITION BY p.value) AS members,
    row_number() OVER (
        PARTITION BY p.value
        ORDER BY p.keys DESC, e.newest DESC NULLS LAST, p.created_at NULLS LAST, p.profile_id
    ) AS place
FROM (
    SELECT
        profile_id,
        created_at,
        len(json_keys(coalesce(profile_data, '{}'))) + len(json_keys(coalesce(platform_info, '{}'))) AS keys,
        {value} AS value
    FROM profiles
    WHERE {value} IS NOT NULL AND {value} NOT IN ('', 'null')
    QUALIFY count(*) OVER () >= 3
) AS p
LEFT JOIN (SELECT profile_id, max(created_at) AS newest FROM events GROUP BY profile_id) AS e USING (profile_id)
ORDER BY p.value, place
