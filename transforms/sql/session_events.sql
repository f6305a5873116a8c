-- grain: one event of a session before $as_of
SELECT session_id, created_at, event_id, event_type, item_id, properties
FROM warehouse.session_events
WHERE created_at < $as_of
ORDER BY session_id, created_at, event_id
