-- grain: one past segment and profile that is a member at $as_of
-- Every action is matched by some event in the window, the inaction by none; order is not checked. segment_elements and
-- past_segments are made by transforms.segments; the text of a property is compared, see transforms.canonical.
WITH matched AS (
    SELECT DISTINCT x.segment_id, x.position, x.action, e.profile_id
    FROM segment_elements AS x
    JOIN events AS e ON e.event_type = x.event_type
    WHERE e.created_at < $as_of::TIMESTAMP AND e.created_at >= $as_of::TIMESTAMP - to_days(x.days)
        AND len(list_filter(x.conditions, lambda c: {text_of_property} IS DISTINCT FROM c.value)) = 0
),
counted AS (
    SELECT segment_id, profile_id, count(*) FILTER (action) AS actions, bool_or(NOT action) AS broken
    FROM matched
    GROUP BY segment_id, profile_id
)
SELECT s.segment_id, s.name AS segment_tag, p.profile_id
FROM counted AS c
JOIN past_segments AS s ON s.segment_id = c.segment_id AND s.actions = c.actions
JOIN profiles AS p ON p.profile_id = c.profile_id
WHERE NOT c.broken AND (s.property_pointer IS NULL OR {text_of_attribute} = s.property_value)
ORDER BY s.segment_id, p.profile_id
