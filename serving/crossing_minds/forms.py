"""Forms of answers: what the answers to one request for different users have in common, when each is a row of the run.

A request that names a user in its path and leads everybody to the same rules is walked, merged and checked once; for
the next user only the row is read. The answers are those that the whole way gives, which a test holds against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from serving.crossing_minds.kept import Headers, Kept
from serving.crossing_minds.pages import ranking_digest, write_ranking_cursor
from serving.crossing_minds.standing import Standing, admitted
from serving.wishes import Granted, Wish

if TYPE_CHECKING:
    from serving.crossing_minds.installation import Installation
    from serving.crossing_minds.tenant import Tenant
    from store.pack.rows import Rows

Key = tuple[bytes, bytes | None, bytes, bytes, bytes]  # authorization, accept, path before and after the user, query
USERS = b"/users/"
IMPERSONAL = frozenset({"case", "alias"})


@dataclass(frozen=True, slots=True)
class Form:
    """Rows and how much of them, the request without its user, and the answer's members after its items."""

    rows: Rows
    reco_type: str
    amount: int
    given: Mapping[str, Any]
    tail: bytes
    cold_tail: bytes


class Texts(dict[int, bytes]):
    """Ids of items as answers write them, by row; each is made when it is first needed."""

    MOST = 100_000

    def __init__(self, standing: Standing) -> None:
        super().__init__()
        self._names = standing.view.pack.item_ids
        self._write = standing.tenant.ids.write

    def __missing__(self, item: int) -> bytes:
        if len(self) >= self.MOST:
            self.clear()
        text = self[item] = orjson.dumps(self._write("item", self._names[item].decode()))
        return text


@dataclass(frozen=True, slots=True)
class _Filed:
    form: Form
    standing: Standing
    texts: Texts
    allow: bytes
    headers: Headers


def form_of(wish: Wish, granted: Granted, given: Mapping[str, Any], answer: Mapping[str, Any]) -> Form | None:
    """The form of an answer; None for one that is no row, or whose scenarios decide by who asks."""
    first_page = granted.more and not wish.offset and not given.get("cursor")  # a cursor belongs to one user
    if granted.rows is None or not first_page or not _impersonal(granted):
        return None
    rest = {name: value for name, value in answer.items() if name not in ("items_id", "next_cursor")}
    tails = [
        b"," + orjson.dumps({**rest, "metadata": {**rest["metadata"], "cold": cold}})[1:] for cold in (False, True)
    ]
    return Form(granted.rows, granted.reco_type, len(granted.items), given, *tails)


def _impersonal(granted: Granted) -> bool:
    stages = [steps for steps in (granted.evaluated or {}).values() if isinstance(steps, list)]  # not the reco type
    return all(step["scenario_type"] in IMPERSONAL for steps in stages for step in steps)


class Forms:
    """Bounded; a request finds a form only as long as the run, the scenarios and the items are the same."""

    MOST = 1000

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._filed: dict[Key, _Filed] = {}

    def keep(self, key: Key, tenant: Tenant, form: Form, allow: bytes, headers: Headers) -> None:
        """Remember a form; all are forgotten when they grow too many."""
        standing = Standing.of(tenant)
        if standing is None:
            return
        if len(self._filed) >= self.MOST:
            self._filed.clear()
        self._filed[key] = _Filed(form, standing, self._texts_of(standing), allow, headers)

    def _texts_of(self, standing: Standing) -> Texts:
        """Shared by the forms of one state."""
        for filed in self._filed.values():
            if filed.standing == standing:
                return filed.texts
        return Texts(standing)

    def find(self, key: Key, user: str) -> Kept | None:
        """The answer for a user, as the path spells the id; None when the whole way has to be gone."""
        filed = self._filed.get(key)
        if filed is None or not admitted(self._installation, key[0]) or not filed.standing.holds():
            return None
        standing, form = filed.standing, filed.form
        ids, pack = standing.tenant.ids, standing.view.pack
        user_id = ids.user.canonical(user)
        row = -1 if user_id is None else pack.profile_row(user_id)
        cold = row >= 0 and bool(pack.lists_cold[row])
        # A cold profile that met something has a list that starts from that.
        if user_id is None or row < 0 or (cold and pack.met(row)):
            return None
        profile = pack.profile_ids[row].decode()
        if standing.touched(profile):
            return None
        part = form.rows.part(row, 0, form.amount) or []
        if len(part) < form.amount:
            return None
        items = b",".join(map(filed.texts.__getitem__, part))
        cursor = b""
        if form.rows.length(row) > form.amount:
            digest = ranking_digest(standing.view.snapshot.run_id, asked(form.given, form.reco_type, user_id=user_id))
            cursor = b',"next_cursor":"%b"' % write_ranking_cursor(form.amount, digest).encode()
        body = b'{"items_id":[%b]%b%b' % (items, cursor, form.cold_tail if cold else form.tail)
        return Kept(standing, profile, filed.allow, filed.headers, body)


def asked(given: Mapping[str, Any], reco_type: str | None, **params: str | None) -> dict[str, Any]:
    """What a ranking's cursor belongs to: what was given, the reco type and the ids of the path."""
    return {**given, "of": [reco_type, sorted(params.items())]}


def split_path(raw: bytes) -> tuple[bytes, str, bytes] | None:
    """A path before, at and after the user's id; None where it names none, or spells it with escapes."""
    head, found, rest = raw.partition(USERS)
    user, slash, tail = rest.partition(b"/")
    return (head, user.decode("latin-1"), tail) if found and slash and user and b"%" not in rest else None
