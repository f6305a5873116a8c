"""Some hundred made-up requests against the decision dialect (``benchmarks/fuzz_conductrics.py`` asks thousands)."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from benchmarks.fuzz_conductrics import OTHER, SECRET, Findings, Key, fuzz, route_of, served

RUNTIME, ADMIN = Key("r", "default", "runtime"), Key("a", "default", "admin")
HEADERS = {"cache-control": "no-store", "content-type": "application/json"}


@pytest.mark.slow
def test_no_request_breaks_the_dialect(tmp_path: Path) -> None:
    with served(tmp_path) as (site, keys):
        findings = fuzz(site, keys, 400, seed=1)
    assert findings.faults == {}
    assert {200, 204, 400, 401, 403, 404, 405} <= {status for _, status in findings.answers}


@pytest.mark.parametrize(
    ("path", "key", "status", "headers", "body"),
    [
        ("home/decision", RUNTIME, 500, HEADERS, b'{"err":"x"}'), ("home/expire", RUNTIME, 200, HEADERS, b"[]"),
        ("home/expire", RUNTIME, 200, HEADERS, b'{"agent":"home","err":null}'), ("x/y/z", RUNTIME, 404, HEADERS, b"{}"),
        ("home/expire", RUNTIME, 200, {"content-type": "application/json"}, b'{"agent":"home"}'),
        ("home/expire", Key("t", OTHER, "admin"), 200, HEADERS, b'{"agent":"home"}'),
        ("list-agents", RUNTIME, 200, HEADERS, b'{"data":{"agents":[]}}'),
        ("home/goal", Key("", ""), 401, HEADERS, b'{"err":"%b"}' % SECRET.encode()),
        ("home/goal", RUNTIME, 400, {**HEADERS, "content-type": "text/html"}, b'{"err":"x"}'),
    ],
)
def test_what_must_not_be_is_found(path: str, key: Key, status: int, headers: dict[str, str], body: bytes) -> None:
    findings = Findings()
    answer = httpx.Response(
        status, headers=headers, content=body, request=httpx.Request("GET", f"http://x/conductrics/default/{path}")
    )
    route, owner = route_of("GET", f"/default/{path}")
    findings.judge(route, owner, key, "", answer)
    assert findings.faults


def test_a_good_answer_is_good() -> None:
    findings = Findings()
    request = httpx.Request("GET", "http://x/conductrics/default/home/expire")
    route, owner = route_of("GET", "/default/home/expire")
    findings.judge(route, owner, ADMIN, "", httpx.Response(
        200, headers=HEADERS, content=b'{"agent":"home","session":"s"}', request=request
    ))
    assert not findings.faults and findings.answers
