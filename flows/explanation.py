"""Why a profile is shown these items, and why it has this churn score: read from the published tables, so it
explains what is served.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb

from contracts.errors import NotFound, NotReady
from store.layout import Layout

# For each listed item: the items of the profile's own history that have it among their neighbours, by weight x
# similarity.
_BECAUSE = """
WITH listed AS (
    SELECT unnest(item_ids) AS item_id, unnest(scores) AS score, generate_subscripts(item_ids, 1) AS rank, model, cold
    FROM recommendation_lists WHERE profile_id = $profile
), links AS (
    SELECT h.item_id AS via, h.weight, unnest(n.item_ids) AS item_id, unnest(n.scores) AS similarity
    FROM interactions h JOIN item_neighbour_lists n USING (item_id) WHERE h.profile_id = $profile AND h.events > 0
), best AS (
    SELECT item_id, via, weight * similarity AS strength,
           row_number() OVER (PARTITION BY item_id ORDER BY weight * similarity DESC, via) AS place
    FROM links
)
SELECT listed.rank, listed.item_id, items.item_name, items.item_category, listed.score, listed.model, listed.cold,
       popularity.rank AS popularity_rank,
       (SELECT list({'item_id': best.via, 'item_name': v.item_name, 'strength': best.strength} ORDER BY best.place)
        FROM best LEFT JOIN items v ON v.item_id = best.via
        WHERE best.item_id = listed.item_id AND best.place <= 3) AS because
FROM listed LEFT JOIN items USING (item_id) LEFT JOIN popularity USING (item_id)
WHERE listed.rank <= $amount
ORDER BY listed.rank
"""


@dataclass(slots=True)
class Explanation:
    """What is served for one profile and why.

    ``items`` and ``history`` are rows by rank; ``churn`` is None when it has no score.
    """

    run_id: str
    as_of: datetime
    profile: dict[str, Any]
    history: list[dict[str, Any]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    churn: dict[str, Any] | None = None
    features: dict[str, Any] = field(default_factory=dict)
    excluded: list[dict[str, Any]] = field(default_factory=list)
    failed_checks: list[dict[str, Any]] = field(default_factory=list)


def explain(layout: Layout, profile: str, amount: int = 10) -> Explanation:
    """Explain a profile by its profile_id or customer_id.

    Raises ``NotReady`` without a run, ``NotFound`` for an unknown profile.
    """
    if not layout.analytics.exists():
        raise NotReady("no run is published yet", hint="nightloom run")
    with duckdb.connect(str(layout.analytics), read_only=True) as con:
        by_id = "profile_id = $id OR customer_id = $id ORDER BY profile_id = $id DESC"
        found = _rows(con, f"SELECT * FROM profiles WHERE {by_id} LIMIT 1", id=profile)
        if not found:
            raise NotFound(
                f"profile {profile!r} is not in the run that is served",
                hint="a profile delivered since is known from the next run on",
            )
        known = found[0]
        explanation = Explanation(known.pop("run_id"), known.pop("as_of"), known)
        key = known["profile_id"]
        explanation.history = _rows(
            con, "SELECT item_id, item_name, events, last_at, weight FROM interactions LEFT JOIN items USING (item_id) "
                 "WHERE profile_id = $profile ORDER BY weight DESC, item_id LIMIT 10", profile=key)
        explanation.items = _rows(con, _BECAUSE, profile=key, amount=amount)
        churn = _rows(
            con, "SELECT * EXCLUDE (run_id, as_of, profile_id) FROM churn WHERE profile_id = $profile", profile=key
        )
        explanation.churn = churn[0] if churn else None
        features = _rows(
            con,
            "SELECT * EXCLUDE (run_id, as_of, profile_id) FROM profile_features WHERE profile_id = $profile",
            profile=key,
        )
        explanation.features = features[0] if features else {}
        explanation.excluded = _rows(
            con,
            "SELECT algorithm, reason, missing_keys FROM training_exclusions WHERE profile_id = $profile ORDER BY ALL",
            profile=key,
        )
        explanation.failed_checks = _rows(
            con,
            "SELECT expectation, value, severity FROM check_failures WHERE profile_id = $profile ORDER BY ALL",
            profile=key,
        )
    return explanation


def _rows(con: duckdb.DuckDBPyConnection, query: str, **parameters: Any) -> list[dict[str, Any]]:
    result = con.execute(query, parameters)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
