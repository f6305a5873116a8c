-- grain: one agent, point, feature and value in the window, with the exposures that had it
SELECT agent, point, entry.key AS code, entry.value AS value, sum(exposures)::BIGINT AS exposures
FROM (
    SELECT agent, point, exposures, unnest(map_entries(from_json(features, '"MAP(VARCHAR, DOUBLE)"'))) AS entry
    FROM decision_feature_sets
)
GROUP BY agent, point, code, value
