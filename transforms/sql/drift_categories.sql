-- one row a category: profiles that have it before and now; all but the $kept commonest of the last run count as one, named NULL
WITH before AS (
    SELECT value, count(*) AS profiles FROM drift_before WHERE value IS NOT NULL GROUP BY value
),
now AS (
    SELECT value, count(*) AS profiles FROM drift_now WHERE value IS NOT NULL GROUP BY value
),
kept AS (
    SELECT value FROM before ORDER BY profiles DESC, value LIMIT $kept
)
SELECT k.value AS category, coalesce(sum(b.profiles), 0)::BIGINT AS before, coalesce(sum(n.profiles), 0)::BIGINT AS now
FROM before AS b
FULL JOIN now AS n ON n.value = b.value
LEFT JOIN kept AS k ON k.value = coalesce(b.value, n.value)
GROUP BY k.value
ORDER BY k.value NULLS LAST
