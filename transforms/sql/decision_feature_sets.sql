-- grain: one agent, point and set of features in the window, with the exposures that had it
SELECT agent, point, features, count(*) AS exposures
FROM decision_learned
GROUP BY agent, point, features
