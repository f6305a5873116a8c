"""Thousands of requests, good and bad ones, made up from the decision dialect's own OpenAPI document.

    python benchmarks/fuzz_conductrics.py --requests 10000

A real server on a real port serves two owners; requests come with a key of either kind, with one of the other owner,
with a wrong one and without any. A part follows the description and a part breaks it, a part is what clients send
(lists of choices, features, rewards, batches, strange bytes in every place), a part is any verb on any path. Every
answer is judged: no 5xx; ``err`` exactly when it failed; bodies as described; no key opens what it must not; nothing of
one owner appears at the other.
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
from benchmarks.fuzz import run_cases  # noqa: E402
from benchmarks.made_up import misfits  # noqa: E402
from contracts.settings import Settings  # noqa: E402
from serving.conductrics.openapi import description  # noqa: E402
from serving.conductrics.router import Route, Router  # noqa: E402
from serving.conductrics.routes import ROUTES  # noqa: E402
from serving.conductrics.schemas import ERROR  # noqa: E402
from store.journal import Journal  # noqa: E402
from store.journal.keys import create_agent_key  # noqa: E402
from store.layout import Layout  # noqa: E402
from tests.serving.conductrics.place import OWNER, Site, open_site  # noqa: E402

BASE = "/conductrics"
OTHER = "second"
SECRET = "SECRETAGENT"  # an agent of the first owner only
AGENTS = ("home", "shop", SECRET)
ROUTER = Router(ROUTES)
# Making up a request may take longer than the server keeps an idle connection.
EACH_ALONE = httpx.Limits(max_keepalive_connections=0)


@dataclass(frozen=True, slots=True)
class Key:
    """A key, whose it is and what it opens; both empty for one that opens nothing."""

    text: str
    owner: str = ""
    kind: str = ""


class Findings(made_up.Findings):
    """Answers by route and status, and what must not be, each told once."""

    def judge(self, route: Route | None, owner: str, key: Key, asked: str, answer: httpx.Response) -> None:
        """Take in one answer; ``route`` None: of a path or verb that there is none for."""
        name = f"{answer.request.method} {route.path}" if route else "elsewhere"
        self.take(name, answer.status_code, wrongs(route, owner, key, answer),
                  f"{key.kind or 'no key'} of {key.owner}: {asked} -> {answer.content[:400]!r}")


def wrongs(route: Route | None, owner: str, key: Key, answer: httpx.Response) -> Iterator[str]:
    """What is wrong with an answer."""
    status, verb = answer.status_code, answer.request.method
    if key.owner != OWNER and SECRET.encode() in answer.content and SECRET not in str(answer.request.url):
        yield "tells of another owner"
    if verb == "OPTIONS":
        if status != 204 or answer.content:
            yield "OPTIONS is not 204"
        return
    if answer.headers.get("cache-control") != "no-store":
        yield "may be stored"
    if verb == "HEAD":
        return
    if answer.headers.get("content-type") != "application/json":
        yield f"media type {answer.headers.get('content-type')!r}"
        return
    if status == 200:
        told = answer.json()
        if isinstance(told, dict) and {"err", "error"} & told.keys():
            yield "a success that says err"
        if key.owner != owner or (route is not None and route.key == "admin" and key.kind != "admin"):
            yield "answers whom it must not"
        if route is not None:
            yield from misfits(route.answer, answer.content)
    else:
        yield from wrong_failure(status, answer)


def wrong_failure(status: int, answer: httpx.Response) -> Iterator[str]:
    """What is wrong with a failure."""
    yield from misfits(ERROR, answer.content)
    if status >= 500:
        yield "a server's error"
    if status not in (400, 401, 403, 404, 405, 413):
        yield "a status that nobody was told of"
    if "Traceback" in answer.text or "site-packages" in answer.text:
        yield "tells how it is made"


def fuzz(site: Site, keys: Sequence[Key], requests: int, seed: int = 0) -> Findings:
    """Ask so many times; the same ``seed`` asks the same."""
    findings = Findings()
    for agent in AGENTS:
        site.good("GET", f"{agent}/decisions/v:a,b/w:c,d", session="s")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tools that make up requests, about their own kind
        by_schema(site, keys, requests * 4 // 10, seed, findings)
        by_grammar(site, keys, requests * 5 // 10, seed, findings)
        by_bytes(site, keys, requests // 10, seed, findings)
    if site.ask("GET", "home/decision", session="s").status_code != 200:
        findings.faults["the endpoint does not answer any more"] = ""
    return findings


def route_of(verb: str, path: str) -> tuple[Route | None, str]:
    """The route of a path below the prefix, and the owner that it names."""
    try:
        found = ROUTER.find(verb, path)
    except Exception:
        return None, ""
    return found.route, found.names["owner"]


def by_schema(site: Site, keys: Sequence[Key], requests: int, seed: int, findings: Findings) -> None:
    """Requests from the description: for each route half that follow it and half that break it."""
    document = description(ROUTES, BASE)
    each = max(1, requests // (2 * sum(len(verbs) for verbs in document["paths"].values())))
    dice = random.Random(seed)
    with httpx.Client(base_url=site.url + BASE, timeout=60, limits=EACH_ALONE) as client:
        def call(_verb: str, _path: str, case: Any) -> None:
            named = case.path_parameters or {}
            if dice.random() < 0.9:
                named["owner"] = OWNER
            if "agent" in named and dice.random() < 0.7:
                named["agent"] = dice.choice(AGENTS[:2])
            case.path_parameters = named
            key = dice.choice([*keys[:1] * 8, *keys])
            answer, verb, asked = made_up.sent(client, case, {"x-mpath-apikey": key.text} if key.text else {})
            route, owner = route_of(verb, httpx.URL(answer.request.url).path.removeprefix(BASE))
            findings.judge(route, owner, key, asked, answer)

        made_up.by_description(document, each, seed, call)


word = st.sampled_from(
    ["a", "b", "c", "v", "w", "home", "null", "undefined", "", "3", "0", "101", "x" * 51, "ä", "a b"]
)
number = st.sampled_from(["1", "2.20", "-1", "0", "nan", "1e999", "1e308", "-0", "", "null", "x", "1_0", "٣", "1,5"])
token = word | st.sampled_from(
    ["vip", "age:34.0", "age:1e400", "b:C", "b:D", "cat::1", ":", "::", "a:", ":1", "a" * 60]
)
features = st.lists(token, max_size=5).map(",".join)
a_list = st.builds(
    "{}{}".format, st.just("") | word.map("{}:".format), st.lists(word, max_size=4).map(",".join)
)
sessions = st.sampled_from(["s", "t", "", "null", "a b", "x" * 129, "ä", "a+b", "\x00", "\ud7ff"]) | made_up.part
values: dict[str, st.SearchStrategy[str]] = {
    "session": sessions, "point": word, "decision-policy": st.sampled_from(["explore", "exploit", "control", "x", ""]),
    "reward": number, "goal": word, "segment": word, "features": features, "ts": number | st.just("1899999990.5"),
    "status": st.sampled_from(["ok", "p", "x", ""]), "ua": made_up.part, "referer": made_up.part, "ip": made_up.part,
    "_method": st.just("POST"), "_type": st.just("json"), "_t": made_up.part, "callback": made_up.part,
}
parameters = st.dictionaries(st.sampled_from(sorted(values)), st.none(), max_size=6).flatmap(
    lambda names: st.fixed_dictionaries({name: values[name] for name in names})
)
agents = st.sampled_from(["home", "shop", "report", "-", "a b"]) | word
tails = st.one_of(
    st.just("decision"), st.builds("decision/{}".format, a_list), st.builds("decision/{}/{}".format, word, number),
    st.just("decisions"), st.lists(a_list, max_size=4).map(lambda lists: "decisions/" + "/".join(lists)),
    st.just("goal"), st.builds("goal/{}".format, word), st.just("session"), st.just("expire"), st.just("agent"),
)
items = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | made_up.part,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(made_up.part, inner, max_size=3), max_leaves=6,
)
batch_items = st.fixed_dictionaries({}, optional={
    "agent": agents, "type": st.sampled_from(["decisions", "decision", "goal", "session", "expire", "x"]) | items,
    "query": parameters | items, "choices": st.lists(a_list, max_size=3).map("/".join) | items, "goal": word | items,
}) | items


@st.composite
def client_requests(draw: st.DrawFn) -> tuple[str, str, dict[str, str], dict[str, str], bytes]:
    """Verb, path below the owner, query, headers and body as a client might send them, or nearly so."""
    if draw(st.integers(0, 7)) == 0:
        body = json.dumps(draw(st.lists(batch_items, max_size=6))).encode()
        return "POST", "-/batch", draw(parameters), {}, body
    verb = draw(st.sampled_from(["GET", "GET", "GET", "POST", "POST", "DELETE", "PUT"]))
    query, more = draw(parameters), draw(parameters)
    headers = {f"x-mpath-{name}": quote(value, safe=" ,:/;=+ä").strip() for name, value in draw(parameters).items()}
    kind = draw(st.sampled_from(["form", "json", "text", "none", "bytes"]))
    body = b""
    if verb != "GET":
        body = {
            "form": urlencode(more).encode(), "text": urlencode(more).encode(), "json": json.dumps(more).encode(),
            "none": b"", "bytes": draw(made_up.bodies),
        }[kind]
        media = {"form": "application/x-www-form-urlencoded", "json": "application/json", "text": "text/plain"}
        headers |= {"content-type": media[kind]} if kind in media else {}
    return verb, f"{draw(agents)}/{draw(tails)}", query, headers, body


def by_grammar(site: Site, keys: Sequence[Key], requests: int, seed: int, findings: Findings) -> None:
    """What clients send, or nearly so; mostly with a good key."""
    asked = st.tuples(client_requests(), st.sampled_from([*keys[:2] * 4, *keys]), st.booleans())
    with httpx.Client(timeout=60, limits=EACH_ALONE) as client:
        def call(one: tuple[tuple[str, str, dict[str, str], dict[str, str], bytes], Key, bool]) -> None:
            (verb, path, query, headers, body), key, in_query = one
            sent = {name: value.encode("utf-8") for name, value in headers.items()}
            sent |= {} if in_query or not key.text else {"x-mpath-apikey": key.text.encode()}
            query = {**query, "apikey": key.text} if in_query and key.text else query
            where = f"/{OWNER}/{path}"
            url = f"{site.url}{BASE}{quote(where, safe='/,:')}?{urlencode(query)}"
            answer = client.request(verb, url, headers=sent, content=body or None)
            route, owner = route_of(verb, where)
            findings.judge(route, owner, key, f"{where} {query} {headers} {body[:200]!r}"[:600], answer)

        run_cases(asked, requests, seed, call)


def by_bytes(site: Site, keys: Sequence[Key], requests: int, seed: int, findings: Findings) -> None:
    """Any verb on known and unknown paths, with bodies that are mostly no JSON."""
    known = sorted({route.path.replace("{owner}", OWNER).replace("{agent}", "home") for route in ROUTES})
    path = st.sampled_from(known) | st.builds("{}/{}".format, st.sampled_from(known), made_up.part) | made_up.part.map(
        "/{}".format
    )
    kind = st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain", "", "a/b"])
    asked = st.tuples(
        st.sampled_from([verb for verb in made_up.VERBS if verb != "TRACE"]), path, made_up.bodies, kind,
        st.sampled_from(keys),
    )
    with httpx.Client(timeout=60, limits=EACH_ALONE) as client:
        def call(one: tuple[str, str, bytes, str, Key]) -> None:
            verb, where, content, media, key = one
            headers = {"content-type": media, **({"x-mpath-apikey": key.text} if key.text else {})}
            answer = client.request(verb, f"{site.url}{BASE}{quote(where)}", content=content, headers=headers)
            route, owner = route_of(verb, where)
            findings.judge(route, owner, key, repr(one)[:400], answer)

        run_cases(asked, requests, seed, call)


@contextmanager
def served(home: Path) -> Iterator[tuple[Site, list[Key]]]:
    """Both owners, served, and every kind of key."""
    settings = Settings()
    other = Layout(home, OTHER)
    other.create()
    with Journal.open(other, settings) as journal, journal.writing() as connection:
        theirs = create_agent_key(connection, "admin", "fuzz", journal.clock())
    with open_site(home, settings) as site:
        yield site, [
            Key(site.admin, OWNER, "admin"), Key(site.runtime, OWNER, "runtime"), Key(theirs, OTHER, "admin"),
            Key("wrong-key-0123456789"), Key(""),
        ]


def work(folder: Path, requests: int, seed: int) -> Findings:
    """Serve, ask, and judge what comes back."""
    with served(folder) as (site, keys):
        return fuzz(site, keys, requests, seed)


if __name__ == "__main__":
    made_up.command(__doc__, work)
