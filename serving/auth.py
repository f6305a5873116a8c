"""Who may ask what: ``Authorization: Bearer nl_<id>_<secret>``, roles read < write < admin."""

from __future__ import annotations

from collections.abc import Iterable

from serving.refusals import Refusal
from store.journal import KeyRing, Role
from store.journal.keys import AgentKeyKind

RANK: dict[Role, int] = {"read": 0, "write": 1, "admin": 2}
HINT = "send the header `Authorization: Bearer <key>`; `nightloom keys create` makes keys"

Headers = Iterable[tuple[bytes, bytes]]


class Gate:
    """Checks keys against one state of the journal; a new state gets a new gate.

    A header that passed is remembered, so a client's further requests cost one look into a dict. That look tells an
    attacker nothing through its timing: bytes are compared only when a keyed 64-bit hash of the whole header agrees.
    """

    REMEMBERED = 1000

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._passed: dict[bytes, Role] = {}

    def check(self, headers: Headers, needed: Role) -> None:
        """Let a request pass or raise a Refusal: 401 without a good key, 403 with one of a lower role."""
        for name, value in headers:
            if name == b"authorization":
                role = self._passed.get(value) or self._role(value)
                break
        else:
            raise Refusal(401, "unauthorized", "a key is needed", HINT)
        if RANK[role] < RANK[needed]:
            raise Refusal(403, "forbidden", f"this needs a key of role {needed}, the key has role {role}", HINT)

    def pair(self, public: str, secret: str) -> bool:
        """Whether these two keys of the retention dialect belong together and are in force."""
        return self._keys.pair(public, secret)

    def agent_key(self, presented: str) -> AgentKeyKind | None:
        """Kind of a key of the decision dialect, None when unknown or revoked."""
        return self._keys.agent_key(presented)

    def _role(self, presented: bytes) -> Role:
        scheme, _, secret = presented.decode("latin-1").partition(" ")
        role = self._keys.role(secret.strip()) if scheme.lower() == "bearer" else None
        if role is None:
            raise Refusal(401, "unauthorized", "the key is unknown, malformed or revoked", HINT)
        if len(self._passed) < self.REMEMBERED:
            self._passed[presented] = role
        return role
