-- grain: one agent, point and set of features in the window: its pattern by tonight's indicators and by those that serve
WITH entries AS (
    SELECT agent, point, features, unnest(map_entries(from_json(features, '"MAP(VARCHAR, DOUBLE)"'))) AS entry
    FROM decision_feature_sets
),
shown AS (
    SELECT DISTINCT e.agent, e.point, e.features, i.made, i.indicator
    FROM entries AS e
    JOIN decision_indicators AS i
        ON i.agent = e.agent AND i.point = e.point AND i.feature = e.entry.key
        AND i.indicator = CASE
            WHEN i.numeric THEN i.feature || '~' || len(list_filter(i.cuts, lambda cut: cut < e.entry.value))
            ELSE i.feature
        END
),
joined AS (
    SELECT agent, point, features, made, string_agg(indicator, '|' ORDER BY indicator) AS pattern
    FROM shown
    GROUP BY agent, point, features, made
)
SELECT
    s.agent,
    s.point,
    s.features,
    coalesce(max(j.pattern) FILTER (j.made = 'tonight'), '') AS pattern,
    coalesce(max(j.pattern) FILTER (j.made = 'serving'), '') AS serving_pattern
FROM decision_feature_sets AS s
LEFT JOIN joined AS j ON j.agent = s.agent AND j.point = s.point AND j.features = s.features
GROUP BY s.agent, s.point, s.features
