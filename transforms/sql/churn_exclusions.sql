-- grain: one profile of the run and one reason why it is left out of churn training and scoring
-- churn_attributes has the keys each profile lacks; rules 2 and 4 of the retention contract, section 4.
SELECT 'churn' AS algorithm, profile_id, 'missing_profile_feature' AS reason, missing_keys
FROM churn_attributes
WHERE len(missing_keys) > 0
UNION ALL
SELECT 'churn', profile_id, 'status', NULL
FROM profiles
WHERE status NOT IN ('active', 'churned')
UNION ALL
SELECT 'churn', profile_id, 'check', NULL
FROM quarantined_profiles
UNION ALL
SELECT 'churn', p.profile_id, 'no_activity', NULL
FROM profiles AS p
ANTI JOIN churn_population AS c ON c.profile_id = p.profile_id
WHERE $inactivity
ORDER BY profile_id, reason
