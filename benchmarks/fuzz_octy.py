"""Thousands of requests, good and bad ones, made up from the retention dialect's own OpenAPI document.

    python benchmarks/fuzz_octy.py --requests 10000

A real server on a real port serves two accounts; requests come with the keys of either, with revoked, mixed, unknown
and malformed ones, and with none; half of them follow the schema of their route and half break it, some have bodies
that are no JSON at all. Every answer is judged: no 5xx; statuses, bodies and cursors as described; the envelope
complete, also of every refusal; nothing without good keys; nothing of one account in an answer to the other.
"""

from __future__ import annotations

import base64
import json
import random
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
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
from benchmarks.octy_requests import KNOWN, requested  # noqa: E402
from benchmarks.synthetic_run import write_run  # noqa: E402
from contracts.settings import Settings  # noqa: E402
from serving.app import Endpoint  # noqa: E402
from serving.octy.openapi import answer_schema, description  # noqa: E402
from serving.octy.router import Route  # noqa: E402
from serving.octy.routes import ROUTES  # noqa: E402
from serving.octy.shapes import ERROR, SHAPES  # noqa: E402
from store.journal import Journal, jobs, keys  # noqa: E402
from store.layout import Layout  # noqa: E402
from store.pack.account import write_account  # noqa: E402
from tests.serving.served import serving  # noqa: E402

BASE = "/octy"
SECRETS = {"default": "FIRSTSECRET", "second": "OTHERSECRET"}  # each stands in one account only
REFUSALS = {400, 422}
REPORT = {
    "report_as_of": "2024-06-01T00:00:00", "current_churn_percentage": 12.3, "churn_direction_indication": "negative",
    "churn_percentage_difference": -1.2, "features_of_importance": [{"feature_name": "age", "feature_importance": 1.0}],
    "model_accuracy": 0.87, "brier": 0.1, "calibration_error": 0.02, "churn_definition": "inactivity",
    "horizon_days": 30, "profiles_scored": 40, "class_counts": {"0": 30, "1": 10},
}


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks: ``header`` None for nobody. ``account`` empty where the keys are good for none."""

    name: str
    account: str
    header: str | None


class Findings(made_up.Findings):
    """Answers by route and status, and what must not be, each told once."""

    def judge(self, route: Route | None, holder: Holder, asked: str, answer: httpx.Response) -> None:
        """Take in one answer; ``route`` None: of a path or verb that there is none for."""
        name = f"{route.verb} {route.path}" if route else "elsewhere"
        example = f"{holder.name} {asked} -> {answer.content[:500]!r}"
        self.take(name, answer.status_code, wrongs(route, holder, answer), example)


def wrongs(route: Route | None, holder: Holder, answer: httpx.Response) -> Iterator[str]:
    """What is wrong with an answer."""
    status, body = answer.status_code, answer.content
    for account, secret in SECRETS.items():
        if account != holder.account and secret.encode() in body:
            yield f"tells of account {account}"
    if not answer.headers.get("content-type", "").startswith("application/json"):
        yield f"media type {answer.headers.get('content-type')!r}"
    elif status >= 300:
        yield from wrong_error(status, body)
    elif route is not None:
        shape = SHAPES[route.verb, route.path]
        yield from misfits(answer_schema(shape), body)
        if status != shape.status:
            yield f"the status must be {shape.status}"
        if not route.open and not holder.account:
            yield "answers without good keys"
        if shape.paged:
            yield from wrong_page(answer)
        return
    if status >= 500:
        yield "a server's error"
    if route is not None and status != expected(route, holder, status):
        yield "is not a status of this route"
    if status == 405 and not answer.headers.get("allow"):
        yield "405 without Allow"


def expected(route: Route, holder: Holder, status: int) -> int:
    """The status if it may be a refusal of this route, else the one that it must be."""
    if holder.header is None and not route.open:
        return 400
    if not holder.account and not route.open:
        return 401
    return status if status in REFUSALS or status == 413 else 400


def wrong_error(status: int, body: bytes) -> Iterator[str]:
    """What is wrong with the envelope of a refusal."""
    try:
        told = json.loads(body)
    except ValueError:
        yield "no JSON"
        return
    unfit = list(misfits(ERROR, body))
    if unfit:
        yield from unfit
    elif told["error"]["code"] != status:
        yield "the code is not the status"
    if b"Traceback" in body or b"site-packages" in body:
        yield "tells how it is made"


def wrong_page(answer: httpx.Response) -> Iterator[str]:
    """What is wrong with the counts and the cursor of a list."""
    told = answer.json()
    meta, rows = told["request_meta"], next(iter(value for name, value in told.items() if name != "request_meta"))
    count, total = meta.get("count"), meta.get("total", -1)
    if count != len(rows) or not rows or total < len(rows):
        yield "count and total are not of this list"
    cursor = answer.headers.get("cursor")
    if cursor is not None and not 0 < int(cursor) <= total:
        yield "the cursor lies past the total"


@dataclass
class House:
    """Two accounts of one installation, served."""

    layout: Layout
    holders: list[Holder]
    url: str = ""

    @property
    def good(self) -> list[Holder]:
        return [one for one in self.holders if one.account]

    def client(self, holder: Holder) -> httpx.Client:
        headers = {} if holder.header is None else {"Authorization": holder.header}
        return httpx.Client(base_url=self.url + BASE, headers=headers, timeout=60)


def build(home: Path, settings: Settings) -> House:
    """Make both accounts, each with a run, its jobs and its report; and keys in every state."""
    pairs: dict[str, tuple[str, str]] = {}
    revoked = ("", "")
    for workspace in SECRETS:
        layout = Layout(home, workspace)
        layout.create()
        with Journal.open(layout, settings) as journal:
            write_run(layout, "r1", 60, 30, 10, 1, settings)
            journal.record_run("r1", "building")
            at, told = datetime(2024, 6, 1), {}
            with journal.writing() as connection:
                for name in ("recommendations", "churn-prediction"):
                    job_id = jobs.start(connection, name, "r1", at, at)
                    jobs.finish(connection, job_id, "Completed", at)
                    told[name] = {"training_job_id": job_id, "as_of": at.isoformat(), "metrics": {"auc": 0.9}}
                pairs[workspace] = keys.create_pair(connection, "fuzz", at, workspace)
                revoked = keys.create_pair(connection, "gone", at, workspace)
                keys.revoke(connection, revoked[0].rsplit("_", 1)[0], at)
            report = {**REPORT, "training_job_id": told["churn-prediction"]["training_job_id"]}
            write_account(layout.run("r1") / "pack", told, report, {})
            journal.promote("r1", 0, "fuzz")
    first, second = pairs["default"], pairs["second"]
    holders = [
        Holder("first", "default", f"Basic {token(first)}"), Holder("first, bare", "default", token(first)),
        Holder("second", "second", f"bAsIc {token(second)}"), Holder("second, bare", "second", token(second)),
        Holder("nobody", "", None), Holder("revoked", "", token(revoked)),
        Holder("mixed", "", token((first[0], second[1]))), Holder("mixed otherwise", "", token((second[0], first[1]))),
        Holder("unknown", "", token(("pk_0_default", "sk_0"))), Holder("of no account", "", token(("pk_0_x", "sk_0"))),
        Holder("elsewhere", "", token((first[0].replace("default", "second"), first[1]))),
        Holder("outside", "", token(("pk_0_../x", "sk_0"))), Holder("malformed", "", "Basic x:y"),
        Holder("bearer", "", f"Bearer {token(first)}"), Holder("swapped", "", token((first[1], first[0]))),
        Holder("no secret", "", token((first[0], ""))), Holder("long", "", "A" * 5000),
    ]
    return House(Layout(home), holders)


def token(pair: tuple[str, str]) -> str:
    """A pair as the header carries it."""
    return base64.b64encode(":".join(pair).encode()).decode()


def plant(house: House) -> None:
    """Put something into each account that must not be seen in the other, and what requests refer to."""
    for holder in house.good[::2]:
        secret = SECRETS[holder.account]
        with house.client(holder) as client:
            bodies: Sequence[tuple[str, dict[str, Any]]] = (
                ("/v1/configurations/account/set", {
                    "contact_name": secret, "contact_surname": "x", "contact_email_address": "a@b",
                    "webhook_url": "https://shop.example/", "authenticated_id_key": "shop_id"}),
                ("/v1/retention/profiles/create", {"profiles": [
                    {"customer_id": f"new-{at}", "has_charged": False, "profile_data": {"age": at, "plan": secret},
                     "platform_info": {"os": "ios"}} for at in range(3)]}),
                ("/v1/retention/items/create", {"items": [
                    {"item_id": "sku-1", "item_category": "x", "item_name": secret, "item_description": secret,
                     "item_price": 5}]}),
                ("/v1/retention/events/types/create", {"event_types": [
                    {"event_type": "login", "event_properties": ["device"]},
                    {"event_type": "cart", "event_properties": []}, {"event_type": secret, "event_properties": []}]}),
                ("/v1/retention/segments/create", {
                    "segment_name": secret, "segment_type": "live", "segment_sub_type": 1, "segment_timeframe": 0,
                    "event_sequence": [{"event_type": "login", "exp_timeframe": 0, "action_inaction": "action",
                                        "event_properties": None}]}),
                ("/v1/retention/messaging/templates/create", {"templates": [
                    {"friendly_name": secret, "template_type": "email", "title": secret, "content": "{a} {b}"}]}),
                ("/v1/retention/events/create/batch", {"events": [
                    {"event_type": "login", "profile_id": "new-0", "event_properties": {"device": secret}}]}),
            )
            for path, body in bodies:
                client.post(path, json=body).raise_for_status()


def fuzz(house: House, requests: int, seed: int = 0) -> Findings:
    """Ask so many times; the same ``seed`` asks the same."""
    findings = Findings()
    plant(house)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tools that make up requests, about their own kind
        by_schema(house, requests // 2, seed, findings)
        by_grammar(house, requests * 4 // 10, seed, findings)
        by_bytes(house, requests // 10, seed, findings)
    for holder in house.good:
        with house.client(holder) as client:
            findings.judge(ROUTES[0], holder, "in the end", client.get(ROUTES[0].path))
    return findings


def _some(house: House, chosen: random.Random) -> Holder:
    """A holder whose keys are good, mostly."""
    return chosen.choice(house.good if chosen.random() < 0.85 else house.holders)


def by_schema(house: House, requests: int, seed: int, findings: Findings) -> None:
    """Requests from the description: for each route half that follow it and half that break it."""
    routes = {(route.verb, route.path): route for route in ROUTES}
    chosen = random.Random(seed)
    with httpx.Client(base_url=house.url + BASE, timeout=60) as client:
        def call(verb: str, path: str, case: Any) -> None:
            holder = _some(house, chosen)
            headers = {} if holder.header is None else {"Authorization": holder.header}
            case.headers = {name: value for name, value in (case.headers or {}).items()
                            if name.lower() != "authorization"}
            answer, asked_verb, asked = made_up.sent(client, case, headers)
            route = routes[verb, path]
            findings.judge(route if asked_verb == verb else None, holder, asked, answer)

        made_up.by_description(description(ROUTES, BASE), max(1, requests // (2 * len(routes))), seed, call)


def by_grammar(house: House, requests: int, seed: int, findings: Findings) -> None:
    """Requests that mean something, mostly; ids are those that answers to the same account gave."""
    asked = st.tuples(requested(ROUTES), st.integers(0, 1 << 30))
    pools: dict[str, list[str]] = {account: ["x"] for account in (*SECRETS, "")}
    chosen = random.Random(seed)
    with httpx.Client(base_url=house.url + BASE, timeout=60) as client:

        def call(one: Any) -> None:
            (route, query, cursor, body), chance = one
            holder = _some(house, chosen)
            pool = pools[holder.account]
            known = pool[chance % len(pool)]
            body = _with(body, known)
            headers = {} if holder.header is None else {"Authorization": holder.header}
            if cursor is not None:
                headers["cursor"] = cursor
            pairs = urlencode([(name, str(value).replace(KNOWN, known)) for name, value in query])
            content = {} if route.verb == "GET" else {"json": body}
            answer = client.request(route.verb, f"{route.path}?{pairs}", headers=headers, **content)
            if answer.is_success and len(pool) < 3000:
                pool += _ids(answer.json())
            findings.judge(route, holder, f"{route.verb} {route.path} {pairs} {cursor} {content}"[:800], answer)

        run_cases(asked, requests, seed, call)


def _with(value: Any, known: str) -> Any:
    """A body with a known id where one is wished for."""
    if isinstance(value, dict):
        return {name: _with(one, known) for name, one in value.items()}
    if isinstance(value, list):
        return [_with(one, known) for one in value]
    return known if value == KNOWN else value


def _ids(told: Any) -> list[str]:
    """Every id in an answer."""
    if isinstance(told, dict):
        own = [value for name, value in told.items() if name.endswith("_id") and isinstance(value, str)]
        return own + [found for value in told.values() for found in _ids(value)]
    return [found for one in told for found in _ids(one)] if isinstance(told, list) else []


def by_bytes(house: House, requests: int, seed: int, findings: Findings) -> None:
    """Any verb on known and unknown paths, with bodies that are mostly no JSON."""
    paths = sorted({route.path for route in ROUTES})
    known = {(route.verb, route.path): route for route in ROUTES}
    part = made_up.part
    path = st.sampled_from(paths) | st.builds("{}/{}".format, st.sampled_from(paths), part) | part.map("/v1/{}".format)
    kind = st.sampled_from(["application/json", "application/json; charset=utf-8", "text/plain", "", "a/b"])
    query = st.dictionaries(st.sampled_from(["ids", "id", "rfm", "type"]), part)
    asked = st.tuples(
        st.sampled_from(made_up.VERBS), path, query, made_up.bodies, kind, st.sampled_from(house.holders), part
    )
    with httpx.Client(base_url=house.url + BASE, timeout=60) as client:
        def call(one: tuple[str, str, dict[str, str], bytes, str, Holder, str]) -> None:
            verb, where, query, content, media, holder, cursor = one
            headers = {"content-type": media, "cursor": cursor.encode().hex()}
            if holder.header is not None:
                headers["authorization"] = holder.header
            answer = client.request(verb, f"{quote(where)}?{urlencode(query)}", content=content, headers=headers)
            if verb != "HEAD":
                findings.judge(known.get((verb, where)), holder, repr(one[:5])[:400], answer)

        run_cases(asked, requests, seed, call)


@contextmanager
def served(home: Path) -> Iterator[House]:
    """Both accounts, served."""
    settings = Settings()
    house = build(home, settings)
    with serving(Endpoint(house.layout, settings)) as house.url:
        yield house


def work(folder: Path, requests: int, seed: int) -> Findings:
    """Serve, ask, and judge what comes back."""
    with served(folder) as house:
        return fuzz(house, requests, seed)


if __name__ == "__main__":
    made_up.command(__doc__, work)
