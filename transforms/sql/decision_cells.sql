-- grain: one agent, point, decision set, segment, pattern, arm, fold and half in the window: the sums of 8.2
SELECT
    x.agent,
    x.point,
    x.decision_set,
    x.segment,
    p.pattern,
    x.arm,
    x.fold,
    x.half,
    count(*) AS n,
    sum(x.goals)::BIGINT AS goals,
    sum(x.nano::HUGEINT)::DOUBLE / 1e9 AS w,
    sum(round((x.nano / 1e9) * (x.nano / 1e9) * 1e12)::HUGEINT)::DOUBLE / 1e12 AS w2,
    sum(x.nano::HUGEINT * x.micro::HUGEINT)::DOUBLE / 1e15 AS s1,
    sum(round((x.nano / 1e9) * (x.micro / 1e6) * (x.micro / 1e6) * 1e12)::HUGEINT)::DOUBLE / 1e12 AS s2
FROM decision_learned AS x
JOIN decision_patterns AS p USING (agent, point, features)
GROUP BY x.agent, x.point, x.decision_set, x.segment, p.pattern, x.arm, x.fold, x.half
ORDER BY x.agent, x.point, x.decision_set, x.segment, p.pattern, x.arm, x.fold, x.half
