-- grain: one agent and situation of a decision in the window (with candidates), arm, probability, response, fold and half
SELECT
    x.agent,
    x.point,
    x.decision_set,
    x.segment,
    p.pattern,
    p.serving_pattern,
    x.candidates,
    x.arm,
    x.probability,
    x.micro / 1e6 AS value,
    x.fold,
    x.half,
    count(*) AS n
FROM decision_learned AS x
JOIN decision_patterns AS p USING (agent, point, features)
GROUP BY ALL
ORDER BY ALL
