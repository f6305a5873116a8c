"""The JSON that the endpoint sends, made once a run: SQL expressions over the published tables, one string a row."""

from __future__ import annotations


def _object(*members: tuple[str, str]) -> str:
    """SQL that concatenates a JSON object from names and SQL expressions giving JSON text."""
    parts = [f"'{',' if number else '{'}\"{name}\":', {value}" for number, (name, value) in enumerate(members)]
    return f"concat({', '.join(parts)}, '}}')"


def _json(column: str) -> str:
    return f"coalesce(to_json({column})::VARCHAR, 'null')"


def _time(column: str) -> str:
    return f"coalesce('\"' || strftime({column}, '%Y-%m-%dT%H:%M:%SZ') || '\"', 'null')"


def _map(column: str) -> str:
    return f"coalesce({column}::VARCHAR, '{{}}')"


PROFILE = _object(
    ("profile_id", _json("profile_id")),
    ("customer_id", _json("customer_id")),
    ("has_charged", _json("has_charged")),
    ("status", _json("status")),
    ("profile_data", _map("profile_data")),
    ("platform_info", _map("platform_info")),
    ("created_at", _time("created_at")),
    ("updated_at", _time("updated_at")),
)

ITEM = _object(
    ("item_id", _json("item_id")),
    ("item_category", _json("item_category")),
    ("item_name", _json("item_name")),
    ("item_description", _json("item_description")),
    ("item_price", _json("item_price")),
    ("status", _json("status")),
    ("properties", _map("properties")),
    ("created_at", _time("created_at")),
    ("updated_at", _time("updated_at")),
)

# An item inside a list; left open, the score follows.
LISTED = (
    f"""concat('{{"item_id":', {_json('item_id')}, ',"item_name":', {_json('item_name')}, ',"item_category":', """
    f"""{_json('item_category')}, ',"item_price":', {_json('item_price')}, ',"score":')"""
)

CHURN = _object(
    ("churn_score", _json("churn_score")),
    ("churn_probability", _json("churn_probability")),
    ("expected_days_to_churn", _json("expected_days_to_churn")),
    ("churn_reasons", _json("churn_reasons")),
    ("survival", _json("survival")),
    ("horizon_days", _json("horizon_days")),
    ("model", _json("churn.model")),
)
