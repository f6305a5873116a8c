-- grain: one agent, placebo 1 to 400 and label: explore exposures in the window, with the sums of their responses (10.7)
WITH hashed AS (
    SELECT
        x.agent,
        x.micro,
        concat_ws(chr(31), t.owner, x.agent, x.point, x.decision_set, x.session, x.epoch, x.seq) AS unit
    FROM decision_learned AS x
    JOIN decision_terms AS t USING (agent)
    WHERE x.policy = 'explore'
    QUALIFY row_number() OVER (
        PARTITION BY x.agent
        ORDER BY sha256('nlaa' || chr(31) || '0' || chr(31) || unit), x.event_id
    ) <= $most AND count(*) OVER (PARTITION BY x.agent) >= $least
),
labelled AS (
    SELECT agent, r, sha256('nlaa' || chr(31) || r || chr(31) || unit)[1] >= '8' AS label, micro
    FROM hashed, range(1, 401) AS placebo(r)
)
SELECT
    agent,
    r,
    label,
    count(*) AS n,
    sum(micro::HUGEINT)::DOUBLE / 1e6 AS total,
    sum(micro::HUGEINT * micro::HUGEINT)::DOUBLE / 1e12 AS squares
FROM labelled
GROUP BY agent, r, label
