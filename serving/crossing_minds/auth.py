"""Tokens (§3): made at login, checked by every worker without the disk; and the ids that a frontend may name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt

from serving.crossing_minds.errors import ForbiddenError, JwtTokenExpired, wrong_parameter
from serving.crossing_minds.identifiers import ME, Ids
from store.control import Account, AccountRole

if TYPE_CHECKING:
    from serving.crossing_minds.call import Call

LIFE = 30 * 60  # seconds
ALGORITHM = "HS256"
FRONTEND: AccountRole = "frontend"


@dataclass(frozen=True, slots=True)
class Session:
    """What a token says. Frontend ids are canonical text in a database, and as given without one."""

    account_id: str
    role: AccountRole
    database_id: str | None
    frontend_user_id: str | None
    frontend_session_id: str | None
    expires: float


class Tokens:
    """Makes and checks tokens; ``clock`` tells unix seconds. A checked token is remembered until it expires, so that
    a client's further requests cost one look into a dict.
    """

    REMEMBERED = 20_000

    def __init__(self, key: bytes, clock: Callable[[], float]) -> None:
        self._key = key
        self._clock = clock
        self._checked: dict[bytes, Session] = {}

    def make(
        self, account: Account, database_id: str | None, frontend_user_id: str | None, frontend_session_id: str | None
    ) -> str:
        """A token of half an hour."""
        now = self._clock()
        claims = {
            "sub": account.id, "role": account.role, "db": database_id, "user": frontend_user_id,
            "session": frontend_session_id, "iat": int(now), "exp": int(now) + LIFE,
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)

    def of_header(self, header: bytes | None) -> Session:
        """The session of an ``Authorization`` header. Raises JwtTokenExpired."""
        if header is None:
            raise JwtTokenExpired
        known = self._checked.get(header)
        if known is not None and known.expires > self._clock():
            return known
        scheme, _, token = header.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            raise JwtTokenExpired
        session = self.check(token.strip())
        if len(self._checked) >= self.REMEMBERED:
            self._checked.clear()
        self._checked[header] = session
        return session

    def check(self, token: Any) -> Session:
        """The session of a token. Raises JwtTokenExpired for all but those that are good now."""
        if not isinstance(token, str):
            raise JwtTokenExpired
        try:
            told = jwt.decode(
                token, self._key, algorithms=[ALGORITHM],
                options={"verify_exp": False, "verify_iat": False, "require": ["sub", "exp"]},
            )
            session = Session(
                told["sub"], told["role"], told["db"], told["user"], told["session"], float(told["exp"])
            )
        except (jwt.PyJWTError, KeyError, ValueError, UnicodeError):
            raise JwtTokenExpired from None
        if session.expires <= self._clock():
            raise JwtTokenExpired
        return session


def own_ids(session: Session, ids: Ids, params: dict[str, str]) -> None:
    """Put the frontend's own ids in place of ``~me`` in a path's user and session ids."""
    for name, own in (("user_id", session.frontend_user_id), ("session_id", session.frontend_session_id)):
        if params.get(name) == ME:
            if own is None or session.role != FRONTEND:
                raise wrong_parameter(name, f"{ME} needs a frontend login that named a {name}")
            params[name] = ids.read(name.removesuffix("_id"), own)


def keep_to_own(call: Call) -> None:
    """A frontend may name no user and no session but its own: in path, query or body. Raises ForbiddenError."""
    session = call.who
    if session.role != FRONTEND:
        return
    ids = call.database.ids
    group = call.body.get("users")
    members = [row.get("user_id") for row in group if isinstance(row, dict)] if isinstance(group, list) else []
    for name, own, further in (
        ("user_id", session.frontend_user_id, members), ("session_id", session.frontend_session_id, [])
    ):
        noun = name.removesuffix("_id")
        for given in (call.params.get(name), *call.query.getlist(name), call.body.get(name), *further):
            if given in (None, "") or (own is not None and ids.read(noun, given, name) == own):
                continue
            raise ForbiddenError(
                f"INCORRECT_FRONTEND_{noun.upper()}_ID", f"this login is not for that {noun} id"
            )
