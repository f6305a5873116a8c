"""YAML documents that configure an account (retention contract, section 17): each entry is applied or refused by
itself, and every refusal is told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml
from sqlalchemy import Connection

from contracts.canonical_text import canonical_text
from contracts.errors import DefinitionError, UsageError
from contracts.settings import Settings
from store import agent_documents, event_type_documents, segment_documents, template_documents
from store.account_bodies import account_body, algorithm_body
from store.account_documents import ACCOUNT, ALGORITHM
from store.journal import Journal, documents

ACCOUNT_NAME = "account"
NAMES = ("algorithmName", "eventType", "segmentName", "friendlyName", "code")
OF_AN_AGENT = ("code", "points", "goals", "learning")


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one entry: ``change`` is set, created or unchanged; empty when it was refused, for ``refusal``."""

    where: str
    kind: str
    name: str
    change: str = ""
    refusal: str = ""


class Desk:
    """What entries are applied with."""

    def __init__(self, journal: Journal, settings: Settings, who: str) -> None:
        self.journal, self.settings, self.who = journal, settings, who

    def put(self, connection: Connection, kind: str, name: str, body: Mapping[str, Any]) -> None:
        text = json.dumps(body, sort_keys=True, ensure_ascii=False)
        documents.put(connection, kind, name, text, self.who, self.journal.clock())


def apply_text(journal: Journal, settings: Settings, text: str, where: str, who: str) -> list[Applied]:
    """Apply every document of a YAML text. ``where`` names the file in what is told."""
    desk = Desk(journal, settings, who)
    try:
        found = [one for one in yaml.safe_load_all(text) if one is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        return [Applied(f"{where}{line}", "", "", refusal=f"no YAML: {getattr(error, 'problem', error)}")]
    if not found:
        return [Applied(where, "", "", refusal="there is no document in it")]
    several = len(found) > 1
    return [
        applied for number, one in enumerate(found)
        for applied in _document(desk, one, f"{where}[{number}]" if several else where)
    ]


def _document(desk: Desk, document: Any, where: str) -> Iterator[Applied]:
    if isinstance(document, Mapping) and "kind" not in document and any(name in document for name in OF_AN_AGENT):
        document = {"kind": "agents", "agents": [{"code": where.partition(".")[0], **document}]}
    if not isinstance(document, Mapping) or document.get("kind") not in KINDS:
        kind = document.get("kind") if isinstance(document, Mapping) else None
        told = f"unknown kind {kind!r}" if kind else "it has no kind"
        yield Applied(where, str(kind or ""), "", refusal=f"{told}; known: {', '.join(KINDS)}")
        return
    kind = str(document["kind"])
    key, apply = KINDS[kind]
    entries = document.get(key)
    if kind == "accountConfigurations":
        entries = [entries]
    if not isinstance(entries, list) or not entries:
        yield Applied(where, kind, "", refusal=f"{key} must be a list with at least one entry")
        return
    for number, entry in enumerate(entries):
        place = f"{where}: {key}[{number}]"
        if not isinstance(entry, Mapping):
            yield Applied(place, kind, "", refusal="must hold names and values")
            continue
        given = {str(name): value for name, value in entry.items() if value not in (None, "")}
        name = str(next((given[one] for one in NAMES if one in given), ""))
        try:
            with desk.journal.writing() as connection:
                changed = apply(desk, connection, given)
            yield Applied(place, kind, name, changed)
        except UsageError as refused:
            yield Applied(place, kind, name, refusal=refused.message)


def set_account(desk: Desk, connection: Connection, given: Mapping[str, Any]) -> str:
    """Overwrite the account's configuration."""
    names = {
        "contactName": "contact_name", "contactSurname": "contact_surname", "contactEmail": "contact_email_address",
        "webhookURL": "webhook_url", "authenticatedIDKey": "authenticated_id_key",
    }
    _known(given, names)
    flat = {names[name]: value for name, value in given.items()}
    desk.put(connection, ACCOUNT, ACCOUNT_NAME, account_body(flat, desk.settings.webhooks))
    return "set"


def set_algorithm(desk: Desk, connection: Connection, given: Mapping[str, Any]) -> str:
    """Overwrite one algorithm's configuration."""
    names = {
        "recommendInteractedItems": "recommend_interacted_items", "itemIDStopList": "item_id_stop_list",
        "profileFeatures": "profile_features",
    }
    inner = given.get("configurations") or {}
    if not isinstance(inner, Mapping):
        raise UsageError("configurations must hold names and values")
    _known(inner, names)
    name = given.get("algorithmName")
    # What is left out is an empty list, or false; YAML takes some texts for numbers.
    defaults: dict[str, Any] = {"profile_features": [], "item_id_stop_list": [], "recommend_interacted_items": False}
    body = algorithm_body(name, defaults | {
        names[key]: _texts(value) for key, value in inner.items() if value not in (None, "")
    })
    desk.put(connection, ALGORITHM, str(name), body)
    return "set"


def _texts(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [canonical_text(one) if isinstance(one, int | float) and not isinstance(one, bool) else one for one in value]


def create_event_type(desk: Desk, connection: Connection, given: Mapping[str, Any]) -> str:
    """Create an event type; the same one again changes nothing."""
    _known(given, ("eventType", "eventProperties"))
    body = {"event_type": given.get("eventType"), "event_properties": given.get("eventProperties")}
    made = event_type_documents.define(connection, body, desk.who, desk.journal.clock())
    return "created" if made else "unchanged"


def create_segment(desk: Desk, connection: Connection, given: Mapping[str, Any]) -> str:
    """Create a segment; the same one again changes nothing."""
    _known(given, (
        "segmentName", "segmentType", "segmentSubtype", "segmentTimeframe", "eventSequence", "profilePropertyName",
        "profilePropertyValue",
    ))
    sequence = given.get("eventSequence")
    body = {
        "segment_name": given.get("segmentName"), "segment_type": given.get("segmentType"),
        "segment_sub_type": given.get("segmentSubtype"), "segment_timeframe": given.get("segmentTimeframe", 0),
        "event_sequence": [_element(one) for one in sequence] if isinstance(sequence, list) else sequence,
        "profile_property_name": given.get("profilePropertyName"),
        "profile_property_value": given.get("profilePropertyValue"),
    }
    if segment_documents.same(connection, body):
        return "unchanged"
    segment_documents.define(connection, body, desk.settings.live_segments, desk.who, desk.journal.clock())
    return "created"


def _element(one: Any) -> Any:
    if not isinstance(one, Mapping):
        return one
    properties = one.get("eventProperties") or None
    return {
        "event_type": one.get("eventType"), "exp_timeframe": one.get("expTimeframe") or 0,
        "action_inaction": one.get("actionInaction"), "event_properties": properties,
    }


def put_template(desk: Desk, connection: Connection, given: Mapping[str, Any]) -> str:
    """Update the template of an id, create one without; the same one again changes nothing."""
    names = {
        "friendlyName": "friendly_name", "templateType": "template_type", "title": "title", "content": "content",
        "defaultValues": "default_values", "metadata": "metadata",
    }
    _known(given, (*names, "templateID"))
    found = template_documents.checked({names[name]: value for name, value in given.items() if name in names})
    template_id = str(given.get("templateID", ""))
    return template_documents.apply(connection, template_id, found, desk.who, desk.journal.clock())


def put_agent(desk: Desk, connection: Connection, given: Mapping[str, Any]) -> str:
    """Create an agent or replace its document."""
    code = given.get("code")
    if not isinstance(code, str):
        raise UsageError("an agent needs its code")
    known = agent_documents.read_agent(connection, code) is not None
    with _in_words():
        agent_documents.put_agent(
            connection, desk.settings.workspace, code, given, desk.who, desk.journal.clock()
        )
    return "set" if known else "created"


def put_targeting_rule(desk: Desk, connection: Connection, given: Mapping[str, Any]) -> str:
    """Create a targeting rule, or replace the one of its code."""
    with _in_words():
        agent_documents.put_rule(connection, given, desk.who, desk.journal.clock())
    return "set"


@contextmanager
def _in_words() -> Iterator[None]:
    """Problems with JSON paths as one refusal."""
    try:
        yield
    except DefinitionError as error:
        raise UsageError("; ".join(map(str, error.problems))) from error


def _known(given: Mapping[str, Any], names: Any) -> None:
    unknown = sorted(str(name) for name in given if name not in names)
    if unknown:
        raise UsageError(f"unknown: {', '.join(unknown)}; known: {', '.join(names)}")


Apply = Callable[[Desk, Connection, Mapping[str, Any]], str]
KINDS: dict[str, tuple[str, Apply]] = {
    "accountConfigurations": ("configurations", set_account),
    "algorithmConfigurations": ("configurations", set_algorithm),
    "eventTypes": ("eventTypeDefinitions", create_event_type),
    "segments": ("segmentDefinitions", create_segment),
    "templates": ("templateDefinitions", put_template),
    "agents": ("agents", put_agent),
    "targetingRules": ("targetingRules", put_targeting_rule),
}
