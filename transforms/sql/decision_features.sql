-- grain: one agent, point, decision set, day, feature and arm with an exposure in the window: the sums of 8.2
WITH alike AS (
    SELECT agent, point, decision_set, date, features, arm, count(*) AS n, sum(nano::HUGEINT)::HUGEINT AS w,
        sum(round((nano / 1e9) * (nano / 1e9) * 1e12)::HUGEINT)::HUGEINT AS w2,
        sum(nano::HUGEINT * micro::HUGEINT)::HUGEINT AS wx,
        sum(round((nano / 1e9) * (micro / 1e6) * (micro / 1e6) * 1e12)::HUGEINT)::HUGEINT AS wx2
    FROM decision_learned
    GROUP BY ALL
),
everything AS (
    SELECT * EXCLUDE (features), unnest(list_prepend('(none)', json_keys(features))) AS feature FROM alike
)
SELECT agent, point, decision_set, date, feature, arm, sum(n)::BIGINT AS n, sum(w)::DOUBLE / 1e9 AS w,
    sum(w2)::DOUBLE / 1e12 AS w2, sum(wx)::DOUBLE / 1e15 AS wx, sum(wx2)::DOUBLE / 1e12 AS wx2
FROM everything
GROUP BY agent, point, decision_set, date, feature, arm
