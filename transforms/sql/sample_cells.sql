-- grain: one cell of the month's shelf, with how many items it offers
SELECT week_index, circle, cell, count(*) AS items
FROM sample_shelf
GROUP BY week_index, circle, cell
