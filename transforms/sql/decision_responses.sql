-- grain: one decision event with a goal credited to it: how many, and their value in millionths, within +- 10^9
SELECT
    event_id,
    sum(goals)::INTEGER AS goals,
    greatest(-1000000000000000, least(1000000000000000, sum(micro)))::BIGINT AS micro
FROM decision_credit
GROUP BY event_id
