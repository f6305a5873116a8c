-- one row: deciles of a feature's finite values in the last run (values that occur, so exact and repeatable), and the largest size
SELECT max(abs(value)) AS largest, quantile_disc(value, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]) AS deciles
FROM drift_values
WHERE isfinite(value)
