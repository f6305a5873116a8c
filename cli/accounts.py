"""``nightloom accounts``: who may log in to the Crossing Minds dialect."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from cyclopts import App

from cli.databases import find_database
from cli.home import find_home
from cli.terminal import show_json, show_table
from contracts.errors import NotFound, UsageError
from store.control import Account, AccountKind, AccountRole, Control
from store.layout import Layout

app = App(name="accounts", help="Make, list and delete accounts of the Crossing Minds dialect.")


@app.command
def create(
    name: str, *, role: AccountRole = "backend", individual: bool = False, database: tuple[str, ...] = (),
    password_file: Path | None = None, first_name: str | None = None, last_name: str | None = None, json: bool = False,
) -> None:
    """Make an account and print its key or password, which is stored nowhere and cannot be shown again.

    Parameters
    ----------
    name
        Name of a program, or email address of a person.
    role
        What it may do: root, manager, backend, frontend or demo_viewer.
    individual
        It is a person, who logs in with email address and password.
    database
        Name or id of a database that it is limited to; repeat it for several. By default it may use all.
    password_file
        File whose first line is the password of a person, - for standard input; by default one is made.
    first_name
        First name of a person.
    last_name
        Last name of a person.
    json
        Print JSON.
    """
    secret = _password(password_file) if password_file is not None else None
    if not individual and (secret is not None or first_name or last_name):
        raise UsageError("only a person has a password and names", hint="add --individual")
    kind: AccountKind = "individual" if individual else "service"
    with Control.open(Layout(find_home())) as control:
        limits = [find_database(control, one).id for one in database] or None
        shown = control.create_account(kind, name, role, secret, limits, first_name, last_name)
    if json:
        show_json({"name": name, "kind": kind, "role": role, "secret": shown})
    else:
        print(shown if secret is None else f"made {name}")


@app.command(name="list")
def list_accounts(*, json: bool = False) -> None:
    """List accounts; their secrets are not known.

    Parameters
    ----------
    json
        Print JSON.
    """
    with Control.open(Layout(find_home())) as control:
        found = control.accounts()
        names = {one.id: one.name for one in control.directory().databases.values()}
    if json:
        show_json([_as_document(account, names) for account in found])
        return
    show_table(
        "Accounts", ("name", "kind", "role", "databases", "made (UTC)"),
        [
            (one.name, one.kind, one.role, ", ".join(_limits(one, names) or ("all",)),
             f"{one.created_at:%Y-%m-%d %H:%M}")
            for one in found
        ],
    )


@app.command
def delete(name: str, *, individual: bool = False) -> None:
    """Delete an account; running endpoints refuse it and its tokens from the next request on.

    Parameters
    ----------
    name
        Name of a program, or email address of a person.
    individual
        It is a person.
    """
    with Control.open(Layout(find_home())) as control:
        control.delete_account("individual" if individual else "service", name)
    print(f"deleted {name}")


def _password(path: Path) -> str:
    if str(path) == "-":
        line = sys.stdin.readline()
    elif path.is_file():
        line = path.read_text(encoding="utf-8").partition("\n")[0]
    else:
        raise NotFound(f"there is no file {path}", hint="name a file, or - for standard input")
    password = line.rstrip("\r\n")
    if len(password) < 8:
        raise UsageError("a password needs 8 characters or more", hint="without --password-file one is made")
    return password


def _limits(account: Account, names: dict[str, str]) -> list[str] | None:
    """Names of the databases that an account is limited to; None without a limit."""
    return None if account.limits is None else sorted(names.get(one, one) for one in account.limits)


def _as_document(account: Account, names: dict[str, str]) -> dict[str, object]:
    told = dataclasses.asdict(account)
    return {**{name: value for name, value in told.items() if name != "limits"}, "databases": _limits(account, names)}
