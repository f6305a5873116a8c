"""The account: its configuration (3), and whether the keys are good (2.1)."""

from __future__ import annotations

from serving.octy import documents
from serving.octy.call import Call
from serving.octy.envelope import Answer, success
from serving.octy.errors import bad_request
from serving.octy.router import Route
from store.account_bodies import account_body

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
    account = call.account
    fields = account_body(call.body, account.settings.webhooks)
    await documents.within(account, lambda connection: documents.put(
        connection, account, documents.ACCOUNT, NAME, fields, call.who
    ))
    return success({"account_data": fields}, status=202)


ROUTES = (
    Route("GET", "/v1/account/authenticate", authenticate, "Whether the keys are good"),
    Route("GET", "/v1/configurations/account", get, "The account's configuration"),
    Route("POST", "/v1/configurations/account/set", put, "Replace the account's configuration"),
)
