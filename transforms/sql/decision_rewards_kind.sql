-- grain: one agent with an exposure in the window: whether its rewards are binary, and how many exposures there are
SELECT
    x.agent,
    CASE t.reward_model
        WHEN 'binary' THEN true
        WHEN 'valued' THEN false
        ELSE bool_and(x.micro IN (0, 1000000))
    END AS is_binary,
    count(*) AS exposures,
    bool_or(x.assumed) AS assumed
FROM decision_exposures AS x
JOIN decision_terms AS t USING (agent)
WHERE x.in_window
GROUP BY x.agent, t.reward_model
