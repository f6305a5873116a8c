"""Control documents of the retention dialect, as an account's configuration: what a night goes by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from contracts.account import Account, Algorithm, Element, Segment
from contracts.canonical_text import canonical_text
from store.journal.documents import Document

ACCOUNT, ALGORITHM, SEGMENT = "octy_account", "octy_algorithm", "segment"
KINDS = (ACCOUNT, ALGORITHM, SEGMENT)


def read_account(documents: Mapping[str, list[Document]]) -> Account:
    """The account that the newest documents of ``KINDS`` describe, by kind; their bodies were checked when stored."""
    bodies = {document.name: json.loads(document.body) for document in documents[ALGORITHM]}
    set_up = [json.loads(document.body) for document in documents[ACCOUNT]]
    segments = tuple(_segment(document) for document in documents[SEGMENT])
    key = next((str(body.get("authenticated_id_key") or "") for body in set_up), "")
    return Account(
        configured=bool(set_up or bodies or segments),
        rec=_algorithm(bodies.get("rec")),
        churn=_algorithm(bodies.get("churn")),
        authenticated_id_key=key,
        segments=segments,
    )


def _algorithm(body: Mapping[str, Any] | None) -> Algorithm | None:
    if body is None:
        return None
    found = body.get("configurations", body)
    return Algorithm(
        profile_features=tuple(dict.fromkeys(map(str, found.get("profile_features", ())))),
        recommend_interacted_items=bool(found.get("recommend_interacted_items", False)),
        item_stop_list=tuple(dict.fromkeys(_item_ids(found.get("item_id_stop_list", ())))),
    )


def _item_ids(entries: Any) -> Iterator[str]:
    """Ids as they come in, or as the dialect gives them out."""
    for entry in entries:
        yield str(entry["item_id"] if isinstance(entry, Mapping) else entry)


def _segment(document: Document) -> Segment:
    body = json.loads(document.body)
    elements = tuple(
        Element(
            str(one["event_type"]),
            one.get("action_inaction", "action") == "action",
            {str(key): canonical_text(value) for key, value in (one.get("event_properties") or {}).items()},
        )
        for one in body.get("event_sequence", ())
    )
    value = body.get("profile_property_value")
    return Segment(
        segment_id=document.name,
        name=str(body["segment_name"]),
        kind=str(body["segment_type"]),
        sub_type=int(body.get("segment_sub_type", 1)),
        days=int(body.get("segment_timeframe") or 0),
        elements=elements,
        property_name=str(body.get("profile_property_name") or ""),
        property_value="" if value is None else canonical_text(value),
        created_at=str(body.get("created_at", "")),
        definition=body,
    )
