"""Who may ask what: ``Authorization: Bearer nl_<id>_<secret>``, roles read < write < admin."""

from __future__ import annotations

from collections.abc import Iterable

from serving.refusals import Refusal
from store.journal import KeyRing, Role

RANK: dict[Role, int] = {"read": 0, "write": 1, "admin": 2}
HINT = "send the header `Authorization: Bearer <key>`; `nightloom keys create` makes keys"

Headers = Iterable[tuple[bytes, bytes]]


def authorize(headers: Headers, keys: KeyRing, needed: Role) -> None:
    """Let a request pass or raise a Refusal: 401 without a good key, 403 with one of a lower role."""
    presented = None
    for name, value in headers:
        if name == b"authorization":
            presented = value
            break
    if presented is None:
        raise Refusal(401, "unauthorized", "a key is needed", HINT)
    scheme, _, secret = presented.decode("latin-1").partition(" ")
    role = keys.role(secret.strip()) if scheme.lower() == "bearer" else None
    if role is None:
        raise Refusal(401, "unauthorized", "the key is unknown, malformed or revoked", HINT)
    if RANK[role] < RANK[needed]:
        raise Refusal(403, "forbidden", f"this needs a key of role {needed}, the key has role {role}", HINT)
