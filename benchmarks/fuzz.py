"""Thousands of requests, good and bad ones, made up from the endpoint's own OpenAPI document; every answer is judged.

    python benchmarks/fuzz.py --requests 10000

A real server on a real port serves a made-up run. Of every operation half of the requests follow its schema and half
break it; a further part are plain bytes where JSON is expected, under paths and methods that may not exist. What must
hold: no answer is a 5xx, every refusal has the one shape of errors, every answer names its run, and without a key there
is only 401.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402 - after the path
from hypothesis import HealthCheck, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

STAMP = {"run_id", "as_of", "age_seconds"}
OPEN = {"/health", "/ready"}  # for everybody, everywhere
ON_LOOPBACK = ("/docs", "/metrics", "/openapi.json")
KNOWN = {"profile_id": "c-3", "item_id": "i-0000003"}  # of every run that ``synthetic_run`` writes
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


@dataclass(slots=True)
class Findings:
    """Answers by operation and status, and what must not be, each told once."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)

    def judge(self, operation: str, asked: str, status: int, kind: str, body: bytes) -> None:
        """Take in one answer."""
        self.answers[operation, status] += 1
        if status >= 500:
            self.faults.setdefault(f"{operation} answers {status}", f"{asked} -> {body[:300]!r}")
        if operation.startswith("HEAD ") or kind.startswith(("text/", "image/")):
            return
        wrong = misshapen(status, body)
        if wrong:
            self.faults.setdefault(f"{operation} {status}: {wrong}", f"{asked} -> {body[:300]!r}")


def misshapen(status: int, body: bytes) -> str:
    """What an answer of JSON lacks; nothing when it is complete."""
    try:
        told = json.loads(body)
    except ValueError:
        return "no JSON"
    if "openapi" in told:
        return ""
    if not set(told) >= STAMP:
        return "does not name its run"
    if status < 400 or set(told) == {*STAMP, "ready", "problem"}:
        return ""
    error = told.get("error", {})
    if set(told) != {"error", *STAMP} or not {"code", "message", "hint", "field"} <= set(error):
        return "the error is not complete"
    return "" if error["code"] and error["message"] else "the error says nothing"


def by_schema(address: str, key: str, requests: int, random: int, findings: Findings) -> None:
    """Requests from the OpenAPI document: for each operation half that follow it and half that break it."""
    import schemathesis
    from schemathesis import GenerationMode

    schema = schemathesis.openapi.from_url(f"{address}/openapi.json", headers=_bearer(key))
    operations = [result.ok() for result in schema.get_all_operations()]
    each = max(1, requests // (2 * len(operations)))
    for operation in operations:
        name = f"{operation.method.upper()} {operation.path}"
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                cases = operation.as_strategy(generation_mode=mode)
                run_cases(cases, each, random, lambda case, name=name: _call(case, address, key, name, findings))
            except Exception as error:
                if type(error).__name__ not in ("Unsatisfiable", "SkipTest", "InvalidSchema"):
                    raise  # an operation without parameters has nothing to break


def _call(case: Any, address: str, key: str, name: str, findings: Findings) -> None:
    asked = findings.answers.total()
    if case.path_parameters and asked % 3 == 0:  # ids out of nothing are never known
        case.path_parameters = {name: KNOWN[name] for name in case.path_parameters}
    answer = case.call(base_url=address, headers=_bearer(key), timeout=30)
    kind = (answer.headers.get("content-type") or [""])[0]
    findings.judge(
        name, f"{case.formatted_path} {case.query} {case.body!r}"[:400], answer.status_code, kind, answer.content or b""
    )


def by_bytes(client: httpx.Client, paths: list[str], requests: int, random: int, findings: Findings) -> None:
    """Any method on known and unknown paths, with bodies that are mostly no JSON and media types that are mostly
    wrong.
    """
    part = st.text(st.characters(codec="utf-8"), max_size=20)
    path = st.one_of(
        st.sampled_from(paths),
        st.builds(lambda a, b: f"{a}{b}", st.sampled_from(paths), part),
        st.builds(lambda a: f"/{a}", part),
    )
    body = st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | part,
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(part, inner, max_size=4),
        ).map(lambda value: json.dumps(value).encode()),
        st.sampled_from(
            [b"{", b"[]", b'{"events":[]}', b"\xff\xfe{}", b'{"a":NaN}', b'{"items":["\\ud800"]}', b"[" * 5000]
        ),
    )
    kind = st.sampled_from(
        ["application/json", "application/json; charset=utf-16", "text/plain", "", "a/b;c", "application/x+json"]
    )
    asked = st.tuples(
        st.sampled_from(METHODS), path, st.dictionaries(st.sampled_from(["amt", "exclude", "x"]), part), body, kind
    )

    def call(one: tuple[str, str, dict[str, str], bytes, str]) -> None:
        method, where, query, content, media = one
        answer = client.request(
            method, f"{quote(where)}?{urlencode(query)}", content=content, headers={"content-type": media}
        )
        findings.judge(
            f"{method} by bytes",
            repr(one)[:400],
            answer.status_code,
            answer.headers.get("content-type", ""),
            answer.content,
        )

    run_cases(asked, requests, random, call)


def without_key(address: str, operations: list[tuple[str, str]], findings: Findings) -> None:
    """Every operation without a key, with a wrong one and with a malformed header."""
    for given_key in (None, "Bearer nl_0_0", "Bearer", "Basic eDp5", "Bearer \xff\xfe", ""):
        headers = {} if given_key is None else {"authorization": given_key.encode("latin-1")}
        with httpx.Client(base_url=address, headers=headers) as client:
            for method, path in operations:
                if path in OPEN or path.startswith(ON_LOOPBACK):
                    continue
                where = path.replace("{profile_id}", "c-1").replace("{item_id}", "i-1")
                answer = client.request(method, where, json={} if method == "POST" else None)
                name = f"{method} {path} without a good key"
                findings.judge(
                    name, repr(given_key), answer.status_code, answer.headers["content-type"], answer.content
                )
                if answer.status_code != 401 or answer.headers.get("www-authenticate") != "Bearer":
                    findings.faults.setdefault(f"{name}: {answer.status_code}", repr(given_key))


def operations_of(client: httpx.Client) -> list[tuple[str, str]]:
    """Method and path of every operation that the endpoint describes."""
    described = client.get("/openapi.json").raise_for_status().json()["paths"]
    return [(method.upper(), path) for path, methods in described.items() for method in methods]


def fuzz(address: str, key: str, requests: int, random: int = 0) -> Findings:
    """Ask an endpoint about so many times; the same ``random`` asks the same."""
    findings = Findings()
    with warnings.catch_warnings(), httpx.Client(base_url=address, headers=_bearer(key), timeout=30) as client:
        warnings.simplefilter("ignore")  # of the tools that make up requests, about their own kind
        operations = operations_of(client)
        without_key(address, operations, findings)
        by_schema(address, key, requests * 4 // 5, random, findings)
        by_bytes(client, sorted({path for _, path in operations}), requests // 5, random, findings)
        if client.get("/health").status_code != 200:
            findings.faults["the endpoint does not answer any more"] = ""
    return findings


def run_cases(cases: st.SearchStrategy[Any], count: int, random: int, call: Any) -> None:
    """Call with so many made-up cases; the same ``random`` makes up the same."""

    @seed(random)
    @settings(max_examples=count, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cases)
    def each(case: Any) -> None:
        call(case)

    each()


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def main() -> None:
    """Serve a made-up run, ask it, and print what came back."""
    from benchmarks.synthetic_run import write_run
    from contracts.settings import Settings
    from serving.app import Endpoint
    from store.journal import Journal
    from store.layout import Layout
    from tests.serving.served import serving

    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--requests", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=0)
    given_arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        layout, known = Layout(Path(folder)), Settings()
        layout.create()
        with Journal.open(layout, known) as journal:
            write_run(layout, "r1", 1000, 200, 20, 1, known)
            journal.record_run("r1", "building")
            journal.promote("r1", 0, "fuzz")
            key = journal.create_key("write", "fuzz")
        started = time.monotonic()
        with serving(Endpoint(layout, known)) as address:
            findings = fuzz(address, key, given_arguments.requests, given_arguments.seed)
    print(f"{sum(findings.answers.values()):,} requests in {time.monotonic() - started:.0f} s")
    for (operation, status), count in sorted(findings.answers.items()):
        print(f"{count:7,}  {status}  {operation}")
    for fault, example in findings.faults.items():
        print(f"FAULT {fault}\n      {example}")
    sys.exit(1 if findings.faults else 0)


if __name__ == "__main__":
    main()
