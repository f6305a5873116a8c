"""The account: its configuration (3), and whether the keys are good (2.1)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from serving.octy import documents
from serving.octy.call import Call
from serving.octy.envelope import Answer, success
from serving.octy.errors import bad_request, misfit
from serving.octy.formats import text
from serving.octy.router import Route
from store.webhooks.targets import literal_fault

NAME = "account"
FIELDS = ("contact_name", "contact_surname", "contact_email_address", "webhook_url", "authenticated_id_key")


async def authenticate(_call: Call) -> Answer:
    """The keys are good, or this would not have been reached."""
    return success({}, message="the keys are good")


async def get(call: Call) -> Answer:
    """The configuration; 400 when it was never set."""
    found = (await documents.read(call.account, documents.ACCOUNT)).get(NAME)
    if found is None:
        raise bad_request("the account configuration was never set")
    return success({"account_data": {name: found.get(name) for name in FIELDS}})


async def put(call: Call) -> Answer:
    """Replace the whole configuration."""
    fields = checked(call.body)
    account = call.account
    fault = literal_fault(fields["webhook_url"], account.settings.webhooks)
    if fault:
        raise bad_request(f"webhook_url: {fault}", field="webhook_url")
    await documents.within(account, lambda connection: documents.put(
        connection, account, documents.ACCOUNT, NAME, fields, call.who
    ))
    return success({"account_data": fields}, status=202)


def checked(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a configuration. Raises OctyError (422)."""
    key = given.get("authenticated_id_key")
    if key is not None and not isinstance(key, str):
        raise misfit("authenticated_id_key", "must be a string or null")
    address = text(given.get("contact_email_address"), "contact_email_address").strip()
    name, at, host = address.partition("@")
    if not at or not name.strip() or not host.strip() or "@" in host:
        raise misfit("contact_email_address", "must be an e-mail address")
    return {
        "contact_name": text(given.get("contact_name"), "contact_name"),
        "contact_surname": text(given.get("contact_surname"), "contact_surname"),
        "contact_email_address": address,
        "webhook_url": _url(given.get("webhook_url")),
        "authenticated_id_key": (key or "").strip() or None,
    }


def _url(value: Any) -> str:
    url = text(value, "webhook_url").strip()
    try:
        parts = urlsplit(url)
        good = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or any(letter.isspace() for letter in url):
        raise misfit("webhook_url", "must be an absolute http or https URL")
    return url


ROUTES = (
    Route("GET", "/v1/account/authenticate", authenticate, "Whether the keys are good"),
    Route("GET", "/v1/configurations/account", get, "The account's configuration"),
    Route("POST", "/v1/configurations/account/set", put, "Replace the account's configuration"),
)
