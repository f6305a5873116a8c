"""Databases and accounts from the command line."""

from __future__ import annotations

import re

from store.control import Control
from store.layout import Layout
from tests.cli.conftest import REPOSITORY, Shop

DOCUMENTED = (REPOSITORY / "docs/commands.md").read_text(encoding="utf-8")
TYPES = ("--item-id-type", "uint32", "--user-id-type", "uuid")


def documented(command: str) -> set[str]:
    line = re.search(rf"^\| `{command}` \| (?:object|list) \| (.+?) \|$", DOCUMENTED, re.MULTILINE)
    assert line is not None
    return set(re.findall(r"`(\w+)`", line[1]))


def test_a_database_is_made_listed_and_deleted(fresh: Shop) -> None:
    made = fresh.good("databases", "create", "films", *TYPES, "--json").json
    assert set(made) == documented("databases create")
    assert (made["workspace"], made["session_id_type"]) == ("films", "urlsafe64")
    assert Layout(fresh.home, "films").runs.is_dir()
    (listed,) = fresh.good("databases", "list", "--json").json
    assert listed == made and set(listed) == documented("databases list")
    assert "films" in fresh.good("databases", "list").out
    assert "still there" in fresh.good("databases", "delete", "films").out
    assert fresh.good("databases", "list", "--json").json == []
    assert Layout(fresh.home, "films").runs.is_dir()


def test_deleting_with_data_removes_the_workspace(fresh: Shop) -> None:
    made = fresh.good("databases", "create", "A shop of films", *TYPES, "--json").json
    folder = Layout(fresh.home, made["workspace"]).root
    assert folder.is_dir() and made["workspace"] != made["name"]
    fresh.good("databases", "delete", made["id"], "--data")
    assert not folder.exists() and fresh.good("databases", "list", "--json").json == []


def test_the_default_workspace_can_be_a_database(fresh: Shop) -> None:
    assert fresh.good("databases", "create", "shop", *TYPES, "--workspace", "default", "--json").json
    taken = fresh("databases", "create", "other", *TYPES, "--workspace", "default")
    assert taken.code == 2 and "is database 'shop' already" in taken.err


def test_faults_of_databases(fresh: Shop) -> None:
    fresh.good("databases", "create", "films", *TYPES)
    for arguments, code, words in (
        (("create", "films", *TYPES), 2, "there is a database"),
        (("create", "x", "--item-id-type", "uint128", "--user-id-type", "uuid"), 2, "is no type of ids"),
        (("create", "x", *TYPES, "--workspace", "../x"), 2, "cannot be the name"),
        (("delete", "nothing"), 5, "there is no database"),
    ):
        answer = fresh("databases", *arguments)
        assert answer.code == code and words in answer.err, answer


def test_accounts_are_made_listed_and_deleted(fresh: Shop) -> None:
    fresh.good("databases", "create", "films", *TYPES)
    made = fresh.good("accounts", "create", "robot", "--role", "frontend", "--database", "films", "--json").json
    assert set(made) == documented("accounts create")
    with Control.open(Layout(fresh.home)) as control:
        assert control.proof("service", "robot").holds(made["secret"])
        assert not control.proof("service", "robot").holds(made["secret"][:-1])
    secret = fresh.home / "secret"
    secret.write_text("correct horse\n")
    fresh.good(
        "accounts", "create", "Ada@Example.org", "--role", "manager", "--individual", "--password-file", secret
    )
    listed = {one["name"]: one for one in fresh.good("accounts", "list", "--json").json}
    assert set(listed["robot"]) == documented("accounts list")
    assert listed["robot"]["databases"] == ["films"] and listed["ada@example.org"]["databases"] is None
    with Control.open(Layout(fresh.home)) as control:
        assert control.proof("individual", "ada@example.org").holds("correct horse")
    fresh.good("accounts", "delete", "ada@example.org", "--individual")
    fresh.good("accounts", "delete", "robot")
    assert fresh.good("accounts", "list", "--json").json == []
    assert made["secret"] not in fresh.good("accounts", "list").out


def test_faults_of_accounts(fresh: Shop) -> None:
    fresh.good("accounts", "create", "robot")
    for arguments, code, words in (
        (("create", "robot"), 2, "there is an account"),
        (("create", "robot", "--role", "king"), 2, "role"),
        (("create", "nobody", "--individual"), 2, "email address"),
        (("create", "x", "--first-name", "Ada"), 2, "only a person"),
        (("create", "x", "--database", "nowhere"), 5, "there is no database"),
        (("create", "a@b", "--individual", "--password-file", "missing"), 5, "there is no file"),
        (("delete", "nobody"), 5, "there is no service account"),
    ):
        answer = fresh("accounts", *arguments)
        assert answer.code == code and words in answer.err, answer
