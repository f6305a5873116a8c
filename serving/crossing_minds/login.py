"""Logins (§3): by key, by password, by refresh token; and what a token says."""

from __future__ import annotations

import asyncio
from typing import Any

from serving.crossing_minds import schemas as s
from serving.crossing_minds.auth import FRONTEND
from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.errors import AuthError, NotFoundError, RefreshTokenExpired
from serving.crossing_minds.fields import text
from serving.crossing_minds.identifiers import Ids
from serving.crossing_minds.installation import Installation
from serving.crossing_minds.router import EVERYBODY, Route
from store.control import Account, AccountKind, DatabaseRecord, Holder

ID_NAMES = ("frontend_user_id", "frontend_session_id")


async def service(call: Call) -> Answer:
    """Name and key of a program."""
    return await _enter(call, "service", text(call.body.get("name"), "name"))


async def individual(call: Call) -> Answer:
    """Email address and password of a person."""
    return await _enter(call, "individual", text(call.body.get("email"), "email"))


async def refresh_token(call: Call) -> Answer:
    """A refresh token for a new token, also of another database; role and frontend ids stay."""
    presented = text(call.body.get("refresh_token"), "refresh_token", "")
    known = call.installation.control.refresh_holder(presented)
    if known is None:
        raise AuthError("INCORRECT_REFRESH_TOKEN", "the refresh token is unknown")
    if known.expired:
        raise RefreshTokenExpired
    account = call.installation.directory().accounts.get(known.holder.account_id)
    if account is None:
        raise NotFoundError("ACCOUNT_NOT_FOUND", "account", known.holder.account_id)
    record = _named(call, account)
    if record is None and known.holder.database_id is not None:
        record = call.installation.record(account, known.holder.database_id)
    given = {"frontend_user_id": known.holder.frontend_user_id, "frontend_session_id": known.holder.frontend_session_id}
    return await _welcome(call, account, record, given, [])


async def about_token(call: Call) -> Answer:
    """What the bearer's token says."""
    who, installation = call.who, call.installation
    answer: dict[str, Any] = {
        "org_id": installation.control.org_id, "account": {"id": who.account_id, "role": who.role}
    }
    if who.database_id is not None:
        record = installation.record(installation.account(who), who.database_id)
        answer["database"] = await described(installation, record)
    for name, value in (("frontend_user_id", who.frontend_user_id), ("frontend_session_id", who.frontend_session_id)):
        if value is not None:
            answer[name] = value
    return answer


async def _enter(call: Call, kind: AccountKind, name: str) -> Answer:
    password = text(call.body.get("password"), "password")
    proof = call.installation.control.proof(kind, name)
    holds = proof.holds(password) if kind == "service" else await asyncio.to_thread(proof.holds, password)
    account = call.installation.directory().accounts.get(proof.account_id or "")
    if not holds or account is None:
        raise AuthError("INCORRECT_PASSWORD", "the name or the password is wrong")
    given = {name: call.body.get(name) for name in ID_NAMES if call.body.get(name) not in (None, "")}
    warnings = []
    if given and account.role != FRONTEND:
        warnings = [f"`{name}` has no effect with role {account.role}" for name in given]
        given = {}
    return await _welcome(call, account, _named(call, account), given, warnings)


def _named(call: Call, account: Account) -> DatabaseRecord | None:
    """The database that the body names, by id or else by name; None when it names none."""
    database_id = text(call.body.get("db_id"), "db_id", "") or None
    name = text(call.body.get("db_name"), "db_name", "") or None
    if database_id is None and name is None:
        return None
    return call.installation.record(account, database_id, name)


async def _welcome(
    call: Call, account: Account, record: DatabaseRecord | None, given: dict[str, Any], warnings: list[str]
) -> Answer:
    """The answer of every login."""
    installation = call.installation
    database_id = None if record is None else record.id
    user, session = (_frontend_id(record, name, given.get(name)) for name in ID_NAMES)
    answer: dict[str, Any] = {
        "token": installation.tokens.make(account, database_id, user, session),
        "refresh_token": await asyncio.to_thread(
            installation.control.refresh_token, Holder(account.id, database_id, user, session)
        ),
        "org_id": installation.control.org_id,
        "role": account.role,
    }
    if warnings:
        answer["warnings"] = warnings
    if record is not None:
        answer["database"] = await described(installation, record)
    if account.kind == "individual":
        answer["account"] = _described_account(account)
    return answer


def _frontend_id(record: DatabaseRecord | None, name: str, given: Any) -> str | None:
    if given is None:
        return None
    if record is None:
        return str(given)
    return Ids.of(record).read(name.removeprefix("frontend_").removesuffix("_id"), given, name)


def _described_account(account: Account) -> dict[str, Any]:
    told = {"id": account.id, "role": account.role, "email": account.name}
    further = {"first_name": account.first_name, "last_name": account.last_name}
    return told | {name: value for name, value in further.items() if value is not None}


async def described(installation: Installation, record: DatabaseRecord) -> dict[str, Any]:
    """A database as logins and lists tell of it."""
    return {
        "id": record.id, "name": record.name, "description": record.description, "item_id_type": record.item_id_type,
        "user_id_type": record.user_id_type, "session_id_type": record.session_id_type,
        "status": "ready" if await installation.tenants.ready(record) else "pending",
    }


DATABASE = s.obj({
    "id": s.string(), "name": s.string(), "description": s.string(), "item_id_type": s.string(),
    "user_id_type": s.string(), "session_id_type": s.string(), "status": s.words("pending", "ready"),
})
ROLE = s.words("root", "manager", "backend", "frontend", "demo_viewer")
ACCOUNT = s.obj(
    {"id": s.string(), "role": ROLE, "email": s.string(), "first_name": s.string(), "last_name": s.string(),
     "metadata": s.anything()},
    optional=("first_name", "last_name", "metadata"),
)
WELCOME = s.obj(
    {"token": s.string(), "refresh_token": s.string(), "org_id": s.string(), "role": ROLE, "warnings": s.WARNINGS,
     "database": DATABASE, "account": ACCOUNT},
    optional=("warnings", "database", "account"),
)
_CHOICE = {"db_id": s.nullable(s.string()), "db_name": s.nullable(s.string())}
_ENTRY = {**_CHOICE, "frontend_user_id": s.nullable(s.ID), "frontend_session_id": s.nullable(s.ID)}
_PERSON = s.obj({"email": s.string(), "password": s.string(), **_ENTRY}, optional=tuple(_ENTRY))

ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "login/service/", "", service, "Log a program in by name and key", database=False, answer=WELCOME,
        body=s.obj({"name": s.string(), "password": s.string(), **_ENTRY}, optional=tuple(_ENTRY)),
    ),
    Route(
        "POST", "login/individual/", "", individual, "Log a person in by email address and password", database=False,
        body=_PERSON, answer=WELCOME,
    ),
    Route(
        "POST", "login/root/", "", individual, "Older name of login/individual/", database=False, body=_PERSON,
        answer=WELCOME,
    ),
    Route(
        "POST", "login/refresh-token/", "", refresh_token, "A new token, also for another database", database=False,
        body=s.obj({"refresh_token": s.string(), **_CHOICE}, optional=tuple(_CHOICE)), answer=WELCOME,
    ),
    Route(
        "POST", "login/jwt/", EVERYBODY, about_token, "What the bearer's token says", database=False, mark="M2",
        answer=s.obj(
            {"org_id": s.string(), "account": s.obj({"id": s.string(), "role": ROLE}), "database": DATABASE,
             "frontend_user_id": s.string(), "frontend_session_id": s.string()},
            optional=("database", "frontend_user_id", "frontend_session_id"),
        ),
    ),
)
