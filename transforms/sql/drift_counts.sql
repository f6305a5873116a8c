-- one row: size of one feature's distribution; $scale is what values are divided by, $edges nine rising bin edges (unused ones infinite)
-- Sums are of integers, so they do not depend on the order of rows or the number of threads; values are clamped at a million scales.
SELECT
    count(*) AS profiles,
    count(value) AS present,
    coalesce(sum(round(scaled * 1099511627776)::HUGEINT), 0)::DOUBLE / 1099511627776 AS total,
    coalesce(sum(round(scaled * scaled * 1099511627776)::HUGEINT), 0)::DOUBLE / 1099511627776 AS squares,
    [
        count(*) FILTER (value <= $edges[1]),
        count(*) FILTER (value > $edges[1] AND value <= $edges[2]),
        count(*) FILTER (value > $edges[2] AND value <= $edges[3]),
        count(*) FILTER (value > $edges[3] AND value <= $edges[4]),
        count(*) FILTER (value > $edges[4] AND value <= $edges[5]),
        count(*) FILTER (value > $edges[5] AND value <= $edges[6]),
        count(*) FILTER (value > $edges[6] AND value <= $edges[7]),
        count(*) FILTER (value > $edges[7] AND value <= $edges[8]),
        count(*) FILTER (value > $edges[8] AND value <= $edges[9]),
        count(*) FILTER (value > $edges[9])
    ] AS bins
FROM (
    SELECT value, greatest(-1e6, least(1e6, value / $scale)) AS scaled
    FROM (SELECT CASE WHEN isfinite(value) THEN value END AS value FROM drift_values)
)
