-- grain: one profile of the run and one reason why no recommender learns from it
-- Rules 2 and 4 of the retention contract, section 4, and the profiles that a check quarantined.
SELECT 'rec' AS algorithm, profile_id, 'status' AS reason, NULL::VARCHAR[] AS missing_keys
FROM profiles
WHERE status <> 'active'
UNION ALL
SELECT 'rec', profile_id, 'missing_profile_feature', missing_keys
FROM recommender_missing
UNION ALL
SELECT DISTINCT 'rec', profile_id, 'check', NULL::VARCHAR[]
FROM quarantined_profiles
ORDER BY profile_id, reason
