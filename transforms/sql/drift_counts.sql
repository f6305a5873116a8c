-- one row: size of one feature's distribution; $scale is what values are divided by, $e1 to $e9 rising bin edges (unused ones infinite)
-- Sums are of integers, so they do not depend on the order of rows or the number of threads; values are clamped at a thousand scales.
SELECT
    count(*) AS profiles,
    count(value) AS present,
    coalesce(sum(round(scaled * 1073741824)::BIGINT), 0)::DOUBLE / 1073741824 AS total,
    coalesce(sum(round(scaled * scaled * 1073741824)::BIGINT), 0)::DOUBLE / 1073741824 AS squares,
    [
        count(*) FILTER (value <= $e1),
        count(*) FILTER (value <= $e2),
        count(*) FILTER (value <= $e3),
        count(*) FILTER (value <= $e4),
        count(*) FILTER (value <= $e5),
        count(*) FILTER (value <= $e6),
        count(*) FILTER (value <= $e7),
        count(*) FILTER (value <= $e8),
        count(*) FILTER (value <= $e9),
        count(value)
    ] AS cumulative
FROM (
    SELECT value, greatest(-1000, least(1000, value / $scale)) AS scaled
    FROM (SELECT CASE WHEN isfinite(value) THEN value END AS value FROM drift_values)
)
