"""Some hundred made-up requests, good and bad, against the endpoint on a real port (``benchmarks/fuzz.py`` asks
thousands).
"""

from __future__ import annotations

import pytest

from benchmarks.fuzz import Findings, fuzz
from serving.app import Endpoint
from tests.serving.conftest import Workspace
from tests.serving.served import serving


@pytest.mark.slow
@pytest.mark.parametrize("hot", [True, False])
def test_no_request_breaks_the_endpoint_or_gets_an_answer_of_another_shape(workspace: Workspace, hot: bool) -> None:
    key = workspace.journal.create_key("write", "fuzz")
    with serving(Endpoint(workspace.layout, workspace.settings, hot=hot)) as address:
        findings = fuzz(address, key, 400, random=1)
    assert findings.faults == {}
    statuses = {status for _, status in findings.answers}
    assert {200, 201, 400, 401, 404, 405, 415, 422} <= statuses, "the requests must reach every kind of answer"


def test_what_must_not_be_is_found() -> None:
    findings = Findings()
    findings.judge("GET /a", "", 500, "application/json", b'{"error":{}}')
    findings.judge(
        "GET /b", "", 404, "application/json", b'{"error":{"code":"x"},"run_id":1,"as_of":1,"age_seconds":1}'
    )
    findings.judge("GET /c", "", 200, "application/json", b"{}")
    findings.judge("GET /d", "", 200, "application/json", b'{"run_id":1,"as_of":1,"age_seconds":1}')
    assert len(findings.faults) == 4 and not any("/d" in fault for fault in findings.faults)
