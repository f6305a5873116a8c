"""Thousands of requests, good and bad ones, made up from the Crossing Minds dialect's own OpenAPI document.

    python benchmarks/fuzz_crossing_minds.py --requests 10000

A real server on a real port serves two databases of one installation; requests come from every role, in either database
or in none, half of them following the schema of their route and half breaking it, some with bodies that are no JSON at
all. Every answer is judged: no 5xx but those that say what is not there; statuses, media types and bodies as described;
errors in their one shape; no role gets what it may not; nothing of one database appears in the other.
"""

from __future__ import annotations

import json
import random
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402 - after the path
from hypothesis import strategies as st  # noqa: E402

from benchmarks import made_up  # noqa: E402
from benchmarks.crossing_minds_requests import requests as requests_of  # noqa: E402
from benchmarks.fuzz import run_cases  # noqa: E402
from benchmarks.made_up import misfits  # noqa: E402
from contracts.settings import Settings  # noqa: E402
from serving.app import Endpoint  # noqa: E402
from serving.crossing_minds.errors import ApiError  # noqa: E402
from serving.crossing_minds.openapi import ERROR, description  # noqa: E402
from serving.crossing_minds.router import LETTERS, Route  # noqa: E402
from serving.crossing_minds.routes import ROUTES  # noqa: E402
from store.control import ROLES, Holder  # noqa: E402
from tests.serving.crossing_minds.conftest import PASSWORD, House, build  # noqa: E402
from tests.serving.served import Clock, serving  # noqa: E402

BASE = "/crossing-minds"
LETTER = {role: letter for letter, role in LETTERS.items()}
SECRET = "SHOPSECRET"  # stands in the shop only
LEFT_OUT = {("DELETE", "databases/current/")}  # would end the game
MEANT = {"DATABASE_NOT_READY", "LLM_PROVIDER_NOT_CONFIGURED"}
KNOWN = {
    "shop": {"user_id": "c-3", "item_id": "i-0000003", "session_id": "s-1", "property": "brand"},
    "second": {"user_id": "0b7d2a4e-0000-4000-8000-000000000001", "item_id": "7", "session_id": "s-1"},
    "": {"user_id": "1", "item_id": "1", "session_id": "1"},
}
KINDS = {cls.__name__: cls for cls in ApiError.__subclasses__()}


@dataclass(frozen=True, slots=True)
class Login:
    """A token, and what it is for; ``database`` empty: none."""

    role: str
    database: str
    token: str


class Findings(made_up.Findings):
    """Answers by route and status, and what must not be, each told once."""

    def judge(
        self, route: Route | None, login: Login | None, asked: str, status: int, kind: str, body: bytes
    ) -> None:
        """Take in one answer; ``route`` None: of a path or verb that there is none for."""
        name = f"{route.verb} {route.path}" if route else "elsewhere"
        self.take(name, status, wrongs(route, login, status, kind, body), f"{login} {asked} -> {body[:400]!r}")


def wrongs(route: Route | None, login: Login | None, status: int, kind: str, body: bytes) -> Iterator[str]:
    """What is wrong with an answer."""
    if login is not None and login.database != "shop" and SECRET.encode() in body:
        yield "tells of another database"
    if status == 204:
        if body or kind:
            yield "204 with a body"
    elif not kind.startswith("application/json"):
        yield f"media type {kind!r}"
    elif status == 200:
        if route is not None:
            yield from misfits(route.answer, body)
    else:
        yield from wrong_error(status, body)
    if status < 300 and route is not None and route.roles:
        if login is None:
            yield "answers without a login"
        elif LETTER[login.role] not in route.roles:
            yield f"answers role {login.role}"
        elif route.database and not login.database:
            yield "answers without a database"
    if route is not None and status < 300 and (status == 204) != (route.answer is None):
        yield "status is not the one described"


def wrong_error(status: int, body: bytes) -> Iterator[str]:
    """What is wrong with an error."""
    try:
        told = json.loads(body)
    except ValueError:
        yield "no JSON"
        return
    unfit = list(misfits(ERROR, body))
    if unfit:
        yield from unfit
        return
    kind = KINDS.get(told.get("error_name"))
    if kind is None or kind.code != told["error_code"]:
        yield "name and number do not belong together"
    elif status != kind.http and not (kind.code == 40 and status in (413, 415)):
        yield "the status is not this error's"
    if status >= 500 and told["error_data"].get("name") not in MEANT:
        yield "a server's error"
    if "Traceback" in told["message"] or "site-packages" in told["message"]:
        yield "tells how it is made"


def logins(house: House) -> list[Login]:
    """Every role in the shop, in the second database, and in none."""
    made = []
    for role in ROLES:
        ids = {"frontend_user_id": "c-3", "frontend_session_id": "s-1"} if role == "frontend" else {}
        made.append(Login(role, "shop", house.token(role, db_id=house.shop, **ids)))
        made.append(Login(role, "second", house.token(role, db_id=house.second)))
        made.append(Login(role, "", house.token(role, name=f"service-{role}")))
    return made


def plant(house: House) -> None:
    """Put something into the shop that must not be seen elsewhere."""
    with house.client("root") as client:
        case = {"scenario_type": "case", "case": {"amt": 3}, "metadata": {"secret": SECRET}}
        client.put(f"/scenarios/profile_to_items/{SECRET}/", json=case)
        for name, kind in (("brand", "unicode"), ("price", "float"), ("sold", "bool"), ("title", "text")):
            for noun in ("items", "users"):
                client.post(f"/{noun}-properties/", json={"property_name": name, "value_type": kind})
        client.post("/items-properties/", json={"property_name": "tags", "value_type": "unicode8", "repeated": True})
        case = {"filters": [{"property_name": "brand", "op": "neq", "value": "acme"}]}
        for reco_type in ("profile_to_items", "item_to_items", "session_to_items"):
            client.put(f"/scenarios/{reco_type}/home/", json={"scenario_type": "case", "case": case})
            client.patch(f"/scenarios-default/{reco_type}/", json={"name": "home"})
        case = {"reco_type": "profile_to_items"}
        client.put("/scenarios/generic_input_to_items/home/", json={"scenario_type": "case", "case": case})
        client.patch("/scenarios-default/generic_input_to_items/", json={"name": "home"})
        client.put("/items/planted/properties/", json={"item": {"brand": SECRET}})
        client.patch("/databases/current/", json={"metadata": {"secret": SECRET}})


def fuzz(house: House, requests: int, seed: int = 0) -> Findings:
    """Ask so many times; the same ``seed`` asks the same."""
    findings = Findings()
    plant(house)
    known = logins(house)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tools that make up requests, about their own kind
        by_schema(house, known, requests // 2, seed, findings)
        by_grammar(house, known, requests * 4 // 10, seed, findings)
        by_bytes(house, known, requests // 10, seed, findings)
    if httpx.get(f"{house.url}{BASE}/", timeout=30).status_code != 200:
        findings.faults["the endpoint does not answer any more"] = ""
    return findings


def by_schema(house: House, known: Sequence[Login], requests: int, seed: int, findings: Findings) -> None:
    """Requests from the description: for each route half that follow it and half that break it."""
    routes = {(route.verb, f"/{route.path}"): route for route in ROUTES}
    left_out = {(verb, f"/{path}") for verb, path in LEFT_OUT}
    each = max(1, requests // (2 * (len(routes) - len(left_out))))
    chosen = random.Random(seed)
    with httpx.Client(base_url=house.url + BASE, timeout=60) as client:
        def call(verb: str, path: str, case: Any) -> None:
            _ask(client, case, routes[verb, path], chosen, known, findings)

        made_up.by_description(description(ROUTES, BASE), each, seed, call, left_out)


def _ask(
    client: httpx.Client, case: Any, route: Route, chosen: random.Random, known: Sequence[Login], findings: Findings
) -> None:
    allowed = [login for login in known if LETTER[login.role] in route.roles and login.database]
    login = chosen.choice(allowed) if allowed and chosen.random() < 0.8 else chosen.choice(known)
    if case.path_parameters and chosen.random() < 0.6:  # ids out of nothing are never known
        ids = KNOWN[login.database]
        case.path_parameters = {name: ids.get(name, value) for name, value in case.path_parameters.items()}
    headers = {"Authorization": f"Bearer {login.token}"}
    if route.beacon and isinstance(case.body, dict) and chosen.random() < 0.8:
        case.body = {**case.body, "token": login.token}
    answer, verb, asked = made_up.sent(client, case, headers)
    judged = route if verb == route.verb else None
    findings.judge(judged, login, asked, answer.status_code, answer.headers.get("content-type", ""), answer.content)


def _entry(house: House, route: Route) -> dict[str, str]:
    """What opens a login route."""
    if "service" in route.path:
        return {"name": "service-root", "password": house.keys["root"]}
    refresh = house.control.refresh_token(Holder(next(iter(house.control.directory().accounts)), house.shop))
    return {"email": "ada@example.org", "password": PASSWORD, "refresh_token": refresh}


def by_grammar(house: House, known: Sequence[Login], requests: int, seed: int, findings: Findings) -> None:
    """Requests that mean something, mostly; cursors are those that answers gave."""
    routes = tuple(route for route in ROUTES if (route.verb, route.path) not in LEFT_OUT)
    asked = st.tuples(requests_of(routes), st.integers(0, 1 << 30))
    pool = ["x"]
    with httpx.Client(base_url=house.url + BASE, timeout=60) as client:

        def call(one: Any) -> None:
            (route, named, query, body), chance = one
            allowed = [login for login in known if LETTER[login.role] in route.roles and login.database]
            login = (known if chance % 5 == 0 or not allowed else allowed)[chance // 5 % len(allowed or known)]
            if login.database == "second" and chance % 3:
                login = known[known.index(login) - 1]  # the same role in the shop, which has more to tell
            path = route.path.format(**{name: quote(value, safe="") for name, value in named.items()})
            pairs = [(name, pool[chance % len(pool)] if value == "POOL" else value) for name, value in query]
            if route.beacon:
                body = {**body, "token": login.token}
            if route.path.startswith("login/") and chance % 2:
                body = {**body, **_entry(house, route)}
            content = {} if route.verb == "GET" else {"json": body}
            answer = client.request(
                route.verb, f"/{path}?{urlencode(pairs)}", headers={"Authorization": f"Bearer {login.token}"}, **content
            )
            if answer.status_code == 200 and b"next_cursor" in answer.content and len(pool) < 1000:
                pool.append(str(answer.json().get("next_cursor") or "x"))
            shown = f"{route.verb} {path} {pairs} {content}"[:800]
            judged = route if all(named.values()) else None
            findings.judge(
                judged, login, shown, answer.status_code, answer.headers.get("content-type", ""), answer.content
            )

        run_cases(asked, requests, seed, call)


def by_bytes(house: House, known: Sequence[Login], requests: int, seed: int, findings: Findings) -> None:
    """Any verb on known and unknown paths, with bodies that are mostly no JSON, packed or not."""
    part = made_up.part
    paths = sorted({route.path for route in ROUTES})
    path = st.sampled_from(paths) | st.builds("{}{}".format, st.sampled_from(paths), part) | part
    kind = st.sampled_from(["application/json", "text/plain", "", "application/xminds-pkl", "multipart/form-data"])
    verb = st.sampled_from(made_up.VERBS)
    token = st.sampled_from([f"Bearer {login.token}" for login in known] + ["", "Bearer", "Bearer x", "Basic eDp5"])
    query = st.dictionaries(st.sampled_from(["amt", "cursor", "filters"]), part)
    asked = st.tuples(verb, path, query, made_up.bodies, kind, token)

    with httpx.Client(base_url=house.url + BASE, timeout=60) as client:
        def call(one: tuple[str, str, dict[str, str], bytes, str, str]) -> None:
            verb, where, query, content, media, authorization = one
            if (verb, where) in LEFT_OUT:
                return
            answer = client.request(
                verb, f"/{quote(where)}?{urlencode(query)}", content=content,
                headers={"content-type": media, "authorization": authorization},
            )
            if verb == "HEAD" or answer.headers.get("content-type", "").startswith("text/html"):
                return
            findings.judge(
                None, None, repr(one)[:400], answer.status_code, answer.headers.get("content-type", ""), answer.content
            )

        run_cases(asked, requests, seed, call)


@contextmanager
def served(home: Path) -> Iterator[House]:
    """Both databases of a made-up installation, served; a task does nothing."""
    clock = Clock()
    settings = Settings()
    house = build(home, clock, settings)
    endpoint = Endpoint(house.layout, settings, clock=clock, run_command=(sys.executable, "-c", "pass"))
    with house.control, serving(endpoint) as house.url:
        yield house


def work(folder: Path, requests: int, seed: int) -> Findings:
    """Serve, ask, and judge what comes back."""
    with served(folder) as house:
        return fuzz(house, requests, seed)


if __name__ == "__main__":
    made_up.command(__doc__, work)
