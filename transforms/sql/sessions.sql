-- grain: one session with an event, or known to be a profile's, before $as_of
SELECT session_id, s.profile_id, p.customer_id, s.resolved_at
FROM (SELECT DISTINCT session_id FROM warehouse.session_events WHERE created_at < $as_of) AS e
FULL JOIN (SELECT * FROM warehouse.sessions WHERE resolved_at < $as_of) AS s USING (session_id)
LEFT JOIN warehouse.profiles AS p ON p.profile_id = s.profile_id
ORDER BY session_id
