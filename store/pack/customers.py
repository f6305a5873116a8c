"""What the retention dialect says of each profile beside what all dialects say: one JSON a row, and merged profiles."""

from __future__ import annotations

from contracts.published import TABLE_BY_NAME
from store.pack.ids import SQL_DIGEST

TABLES = ("rfm", "segment_members", "training_exclusions", "profile_merges")
"""Tables that a pack may be made without; they then count as empty."""


def empty(table: str) -> str:
    """SQL of a table of ``TABLES`` without rows."""
    columns = ", ".join(f"NULL::{column.type} AS {column.name}" for column in TABLE_BY_NAME[table].columns)
    return f"SELECT {columns} WHERE false"


CUSTOMERS = """
WITH tagged AS (
    SELECT profile_id, list({'segment_id': segment_id, 'segment_tag': segment_tag,
        'created_at': strftime(created_at, '%Y-%m-%dT%H:%M:%SZ')} ORDER BY created_at, segment_id) AS tags
    FROM segment_members GROUP BY profile_id
),
excluded AS (
    SELECT profile_id, list({'algorithm': algorithm, 'reason': reason, 'missing_keys': coalesce(missing_keys, [])}
        ORDER BY algorithm, reason) AS exclusions
    FROM training_exclusions GROUP BY profile_id
),
families AS (
    SELECT parent AS profile_id, list({'profile_id': child, 'customer_id': child_customer_id, 'key': key,
        'value': value, 'merged_at': strftime(merged_at, '%Y-%m-%dT%H:%M:%SZ')} ORDER BY merged_at, child) AS children
    FROM profile_merges GROUP BY parent
)
SELECT p.profile_index, CASE WHEN coalesce(r.profile_id, t.profile_id, x.profile_id, f.profile_id) IS NULL THEN ''
    ELSE to_json({'rfm_score': r.rfm_score, 'rfm_segment_desc': r.rfm_segment_desc, 'tags': coalesce(t.tags, []),
        'exclusions': coalesce(x.exclusions, []), 'children': coalesce(f.children, [])})::VARCHAR END
FROM profiles AS p
LEFT JOIN rfm AS r USING (profile_id)
LEFT JOIN tagged AS t USING (profile_id)
LEFT JOIN excluded AS x USING (profile_id)
LEFT JOIN families AS f USING (profile_id)
ORDER BY p.profile_index
"""

CHILDREN = f"""
SELECT (row_number() OVER (ORDER BY child) - 1)::INTEGER AS position,
    to_json({{'profile_id': child, 'customer_id': child_customer_id, 'parent': parent, 'key': key, 'value': value,
        'merged_at': strftime(merged_at, '%Y-%m-%dT%H:%M:%SZ')}})::VARCHAR,
    child, coalesce(child_customer_id, ''),
    {SQL_DIGEST.format(column='child')},
    CASE WHEN child_customer_id IS NULL THEN 0 ELSE {SQL_DIGEST.format(column='child_customer_id')} END
FROM profile_merges ORDER BY position
"""
