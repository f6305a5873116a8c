"""Requests made up from a description or from nothing, for the benchmarks that judge every answer of a dialect."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jsonschema
from hypothesis import strategies as st

from benchmarks.fuzz import run_cases

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE")
part = st.text(st.characters(codec="utf-8"), max_size=12)
no_json = st.binary(max_size=80) | st.sampled_from(
    [b"", b"null", b"{", b"[]", b"{}", b'{"a":NaN}', b"\xff\xfe{}", b'{"items":["\\ud800"]}', b"[" * 3000,
     b'{"items":' * 500 + b"1" + b"}" * 500, b'{"users":[{"user_id":{}}],"user_id":[]}']
)
bodies = no_json | no_json.map(zlib.compress) | no_json.map(lambda raw: b"\x1f\x8b" + raw)


@dataclass(slots=True)
class Findings:
    """Answers by operation and status, and what must not be, each told once."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, status: int, wrongs: Iterable[str], example: str) -> None:
        """One answer with what is wrong with it."""
        self.answers[name, status] += 1
        for wrong in wrongs:
            self.faults.setdefault(f"{name} {status}: {wrong}", example)

    def report(self, seconds: float) -> None:
        """Print everything."""
        print(f"{sum(self.answers.values()):,} requests in {seconds:.0f} s")
        for (name, status), count in sorted(self.answers.items()):
            print(f"{count:7,}  {status}  {name}")
        for fault, example in self.faults.items():
            print(f"FAULT {fault}\n      {example}")


def command(about: str | None, work: Callable[[Path, int, int], Findings]) -> None:
    """A fuzzer's command line: ``work`` gets an empty folder, how many requests and the seed; faults end it with 1."""
    arguments = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--requests", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=0)
    told = arguments.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        findings = work(Path(folder), told.requests, told.seed)
    findings.report(time.monotonic() - started)
    sys.exit(1 if findings.faults else 0)


def misfits(schema: Any, body: bytes) -> Iterator[str]:
    """Where a body of JSON is not as a schema describes it; nothing for no schema."""
    if schema is None:
        return
    for error in jsonschema.Draft202012Validator(schema).iter_errors(json.loads(body)):
        yield f"not as described: {error.json_path} {error.message[:200]}"


def by_description(
    document: dict[str, Any], each: int, seed: int, call: Callable[[str, str, Any], None],
    left_out: Iterable[tuple[str, str]] = (),
) -> None:
    """Call with verb, path and case: for each operation of an OpenAPI document so many cases that follow it and so many
    that break it.
    """
    import schemathesis
    from schemathesis import GenerationMode

    skipped = set(left_out)
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = result.ok()
        verb, path = operation.method.upper(), operation.path
        if (verb, path) in skipped:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                cases = operation.as_strategy(generation_mode=mode)
                run_cases(cases, each, seed, lambda case, verb=verb, path=path: call(verb, path, case))
            except Exception as error:
                if type(error).__name__ not in ("Unsatisfiable", "SkipTest", "InvalidSchema"):
                    raise  # an operation without parameters has nothing to break


def sent(client: httpx.Client, case: Any, headers: dict[str, str]) -> tuple[httpx.Response, str, str]:
    """What a case is answered, its verb, and what was asked in words."""
    base = str(client.base_url).rstrip("/")
    told = case.as_transport_kwargs(base_url=base)
    content = {key: told[key] for key in ("json", "data") if told.get(key) is not None}
    if "data" in content:
        content = {"content": content["data"]}
    answer = client.request(
        told["method"], told["url"], params=told.get("params"), headers={**(told.get("headers") or {}), **headers},
        **content,
    )
    return answer, told["method"].upper(), f"{told['url'][len(base):]} {told.get('params')} {content}"[:600]
