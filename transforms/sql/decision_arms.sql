-- grain: one agent, point, decision set and arm that an exposure in the window could have had, by its first place in a list
WITH lists AS (
    SELECT DISTINCT agent, point, decision_set, candidates, source = 'file' AS of_file
    FROM decision_exposures
    WHERE in_window
),
placed AS (
    SELECT agent, point, decision_set, of_file, unnest(candidates) AS arm, generate_subscripts(candidates, 1) AS place
    FROM lists
)
SELECT agent, point, decision_set, arm, min(place) AS place, bool_or(of_file) AS of_file
FROM placed
GROUP BY agent, point, decision_set, arm
