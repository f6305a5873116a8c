-- one row: largest size of a feature's finite values in the last run, and their deciles (values that occur, so exact and repeatable)
SELECT max(abs(value)) AS scale, list_distinct(quantile_disc(value, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])) AS edges
FROM drift_values
WHERE isfinite(value)
