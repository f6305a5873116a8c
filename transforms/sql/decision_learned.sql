-- grain: one exposure in the window, with its weight (8.2), its response as it is learned from, and the parts of its session
SELECT
    x.event_id,
    x.agent,
    x.point,
    x.decision_set,
    x.arm,
    x.candidates,
    x.probability,
    x.segment,
    x.features,
    x.date,
    x.goals,
    x.policy,
    x.session,
    x.epoch,
    x.seq,
    round(least(20.0, s.share / x.probability) * 1e9)::BIGINT AS nano,
    CASE WHEN k.is_binary THEN (x.micro > 0)::BIGINT * 1000000 ELSE x.micro END AS micro,
    (('0x' || sha256(x.session)[1:2])::INTEGER % 3)::UTINYINT AS fold,
    (('0x' || sha256(x.session)[3:4])::INTEGER % 2)::UTINYINT AS half
FROM decision_exposures AS x
JOIN decision_rewards_kind AS k USING (agent)
JOIN decision_shares AS s
    ON s.agent = x.agent AND s.point = x.point AND s.decision_set = x.decision_set AND s.version = x.version
    AND s.arm = x.arm AND s.told = (x.probs IS NOT NULL)
WHERE x.in_window
