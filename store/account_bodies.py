"""Bodies of an account's configurations as they are stored, whoever sends them (retention contract, sections 3, 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.errors import UsageError
from contracts.settings import Webhooks
from store.webhooks.targets import TargetRefused, literal_fault, read_url

ALGORITHMS = ("rec", "churn")
CHARGED = "charged"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a field. ``schema``: the body is not what it must be; else a good body is not allowed."""

    field: str
    message: str
    schema: bool = True


class BodyRefused(UsageError):
    """A configuration is not taken; ``faults`` has everything that is wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{one.field} {one.message}" for one in faults))
        self.faults = faults


def account_body(given: Mapping[str, Any], terms: Webhooks) -> dict[str, Any]:
    """An account's configuration from its flat fields. Raises BodyRefused."""
    faults = [
        Fault(name, "must be a non-empty string") for name in ("contact_name", "contact_surname")
        if not _text(given.get(name))
    ]
    address = given.get("contact_email_address")
    address = address.strip() if isinstance(address, str) else ""
    parts = address.split("@")
    if len(parts) != 2 or not all(part.strip() for part in parts):
        faults.append(Fault("contact_email_address", "must be an e-mail address"))
    url = given.get("webhook_url")
    url = url.strip() if isinstance(url, str) else ""
    fault = _url_fault(url, terms)
    faults.extend([fault] if fault else [])
    key = given.get("authenticated_id_key")
    if not isinstance(key, str | None):
        faults.append(Fault("authenticated_id_key", "must be a string or null"))
    if faults:
        raise BodyRefused(faults)
    return {
        "contact_name": given["contact_name"], "contact_surname": given["contact_surname"],
        "contact_email_address": address, "webhook_url": url, "authenticated_id_key": (key or "").strip() or None,
    }


def algorithm_body(name: Any, given: Any) -> dict[str, Any]:
    """An algorithm's configuration from its fields, all of which must be there. Raises BodyRefused."""
    if name not in ALGORITHMS:
        raise BodyRefused([Fault("algorithm_name", f"must be rec or churn, not {str(name)[:100]!r}")])
    if not isinstance(given, Mapping):
        raise BodyRefused([Fault("configurations", "must be an object")])
    lists = ("profile_features", "item_id_stop_list") if name == "rec" else ("profile_features",)
    faults = [
        Fault(f"configurations.{key}", "must be a list of non-empty strings") for key in lists
        if not isinstance(given.get(key), list) or not all(map(_text, given[key]))
    ]
    if name == "rec" and not isinstance(given.get("recommend_interacted_items"), bool):
        faults.append(Fault("configurations.recommend_interacted_items", "must be true or false"))
    if not faults and CHARGED in given["profile_features"]:
        faults.append(Fault("configurations.profile_features", f"must not name {CHARGED}"))
    if faults:
        raise BodyRefused(faults)
    found: dict[str, Any] = {key: list(dict.fromkeys(given[key])) for key in lists}
    if name == "rec":
        found["recommend_interacted_items"] = given["recommend_interacted_items"]
    return found


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _url_fault(url: str, terms: Webhooks) -> Fault | None:
    try:
        read_url(url)
        told = literal_fault(url, terms)
    except TargetRefused as refused:
        return Fault("webhook_url", f"must be an absolute http or https URL: {refused}")
    return Fault("webhook_url", f"is not allowed: {told}", schema=False) if told else None
