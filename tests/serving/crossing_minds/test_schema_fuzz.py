"""Some hundred made-up requests of every role, in two databases.

``benchmarks/fuzz_crossing_minds.py`` asks thousands.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz_crossing_minds import Findings, Login, fuzz, served
from serving.crossing_minds.routes import ROUTES


@pytest.mark.slow
def test_no_request_breaks_the_dialect_or_gets_an_answer_of_another_shape(tmp_path: Path) -> None:
    with served(tmp_path) as house:
        findings = fuzz(house, 300, seed=2)
    assert findings.faults == {}
    statuses = {status for _, status in findings.answers}
    assert {200, 204, 400, 401, 403, 404, 405, 503} <= statuses, "the requests must reach every kind of answer"


def test_what_must_not_be_is_found() -> None:
    route = next(route for route in ROUTES if route.path == "databases/current/status/")
    findings, kind = Findings(), "application/json"
    root, frontend, nowhere = Login("root", "shop", ""), Login("frontend", "shop", ""), Login("root", "", "")
    good = b'{"status":"ready"}'
    error = b'{"error_code":60,"error_name":"NotFoundError","message":"x","error_data":{}}'
    findings.judge(route, root, "fine", 200, kind, good)
    findings.judge(route, root, "fine", 404, kind, error)
    assert findings.faults == {}
    for login, status, media, body in (
        (frontend, 200, kind, good), (nowhere, 200, kind, good), (None, 200, kind, good), (root, 204, "", b""),
        (root, 200, kind, b'{"status":"x"}'), (root, 200, "text/plain", good), (root, 400, kind, error),
        (root, 404, kind, error.replace(b"60", b"40")), (root, 404, kind, b"{}"), (root, 404, kind, b"oops"),
        (Login("root", "second", ""), 200, kind, b'{"status":"ready","x":"SHOPSECRET"}'),
        (root, 500, kind, b'{"error_code":0,"error_name":"ServerError","message":"x","error_data":{}}'),
    ):
        found = Findings()
        found.judge(route, login, "", status, media, body)
        assert found.faults, f"not found: {login} {status} {body!r}"
