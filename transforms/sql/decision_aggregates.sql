-- grain: one agent, point, day, policy, arm, segment, feature and goal (null: all) with an exposure (8.6)
WITH alike AS (
    SELECT agent, point, date, policy, arm, segment, features, count(*) AS n, sum(micro::HUGEINT)::HUGEINT AS x,
        sum(micro::HUGEINT * micro::HUGEINT)::HUGEINT AS x2, sum(goals)::HUGEINT AS goals,
        sum(goals::HUGEINT * goals::HUGEINT)::HUGEINT AS goals2
    FROM decision_exposures
    GROUP BY ALL
),
everything AS (
    SELECT * EXCLUDE (features),
        unnest(list_prepend('(none)', json_keys(features))) AS feature
    FROM alike
),
summed AS (
    SELECT agent, point, date, policy, arm, segment, feature, sum(n)::BIGINT AS n, sum(x)::HUGEINT AS x,
        sum(x2)::HUGEINT AS x2, sum(goals)::BIGINT AS goals, sum(goals2)::BIGINT AS goals2
    FROM everything
    GROUP BY ALL
),
of_goals AS (
    SELECT x.agent, x.point, x.date, x.policy, x.arm, x.segment, c.goal,
        unnest(list_prepend('(none)', json_keys(x.features))) AS feature, c.goals, c.micro
    FROM decision_exposures AS x
    JOIN decision_credit AS c USING (event_id)
),
by_goal AS (
    SELECT agent, point, date, policy, arm, segment, feature, goal, sum(micro)::HUGEINT AS x,
        sum(micro * micro)::HUGEINT AS x2, sum(goals)::BIGINT AS goals,
        sum(goals::HUGEINT * goals::HUGEINT)::BIGINT AS goals2
    FROM of_goals
    GROUP BY ALL
)
SELECT agent, point, date, policy, arm, segment, feature, NULL::VARCHAR AS goal, n, x::DOUBLE / 1e6 AS x,
    x2::DOUBLE / 1e12 AS x2, goals, goals2
FROM summed
UNION ALL
SELECT g.agent, g.point, g.date, g.policy, g.arm, g.segment, g.feature, g.goal, s.n, g.x::DOUBLE / 1e6,
    g.x2::DOUBLE / 1e12, g.goals, g.goals2
FROM by_goal AS g
JOIN summed AS s
    ON s.agent = g.agent AND s.point = g.point AND s.date = g.date AND s.policy = g.policy AND s.arm = g.arm
    AND s.segment = g.segment AND s.feature = g.feature
