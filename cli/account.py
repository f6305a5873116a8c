"""``nightloom account``: the account's configuration, in the spelling of an earlier command line."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from cli.account_state import WHO, opened
from contracts.errors import UsageError


def account(
    *,
    operation: Annotated[Literal["set", "get"], Parameter(name=("--operation", "-o"))],
    name: Annotated[str, Parameter(name=("--name", "-n"))] = "",
    surname: Annotated[str, Parameter(name=("--surname", "-f"))] = "",
    email: Annotated[str, Parameter(name=("--email", "-e"))] = "",
    webhook_url: Annotated[str, Parameter(name=("--webhook-url", "-w"))] = "",
    authenticated_id_key: str = "",
    workspace: str = "",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Set or show the account's configuration; all of it is overwritten.

    Parameters
    ----------
    operation
        set or get.
    name
        First name of the contact.
    surname
        Surname of the contact.
    email
        E-mail address of the contact.
    webhook_url
        Where notifications go.
    authenticated_id_key
        Key of the profiles by which they are merged.
    workspace
        Workspace.
    json
        Print JSON (get).
    """
    from cli.get_account import accountconfig
    from store.account_apply import ACCOUNT_NAME, Desk
    from store.account_bodies import account_body
    from store.account_documents import ACCOUNT

    if operation == "get":
        accountconfig(workspace=workspace, json=json)
        return
    flags = {"-n": name, "-f": surname, "-e": email, "-w": webhook_url}
    missing = [flag for flag, value in flags.items() if not value]
    if missing:
        raise UsageError(f"missing: {', '.join(missing)}", hint="nightloom account --help")
    given = {
        "contact_name": name, "contact_surname": surname, "contact_email_address": email, "webhook_url": webhook_url,
        "authenticated_id_key": authenticated_id_key or None,
    }
    with opened(workspace) as (_, settings, journal):
        body = account_body(given, settings.webhooks)
        with journal.writing() as connection:
            Desk(journal, settings, WHO).put(connection, ACCOUNT, ACCOUNT_NAME, body)
    print("account configuration set")
