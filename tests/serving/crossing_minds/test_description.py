"""The dialect describes itself; the pages need no network."""

from __future__ import annotations

import httpx
import jsonschema
import pytest

from serving.crossing_minds.errors import TooManyRequests
from serving.crossing_minds.openapi import description
from serving.crossing_minds.rate import Rate
from serving.crossing_minds.routes import ROUTES
from tests.serving.crossing_minds.conftest import House
from tests.serving.served import Clock


def test_every_route_is_described_with_sound_schemas() -> None:
    told = description(ROUTES, "/crossing-minds")
    operations = [operation for path in told["paths"].values() for operation in path.values()]
    assert len(operations) == len(ROUTES)
    assert len({operation["operationId"] for operation in operations}) == len(ROUTES)
    for operation in operations:
        schemas = [parameter["schema"] for parameter in operation["parameters"]]
        schemas += [body["schema"] for body in operation.get("requestBody", {}).get("content", {}).values()]
        for answer in operation["responses"].values():
            schemas += [body["schema"] for body in answer.get("content", {}).values()]
        for schema in schemas:
            jsonschema.Draft202012Validator.check_schema(schema)


def test_routes_that_answer_nothing_say_so() -> None:
    told = description(ROUTES, "")
    for route in ROUTES:
        answers = told["paths"][f"/{route.path}"][route.verb.lower()]["responses"]
        assert ("204" in answers) == (route.answer is None) and ("200" in answers) != ("204" in answers)


@pytest.mark.parametrize("version", ["", "-3.0"])
def test_the_description_is_served(house: House, version: str) -> None:
    answer = httpx.get(f"{house.url}/crossing-minds/openapi{version}.json")
    told = answer.json()
    assert answer.status_code == 200 and told["servers"] == [{"url": "/crossing-minds"}]
    assert told["openapi"] == ("3.0.3" if version else "3.1.0")
    if version:
        assert '"type":"null"' not in answer.text
    by_host = httpx.get(f"{house.url}/openapi.json", headers={"Host": "api.shop.test"}).json()
    assert by_host["servers"] == [{"url": "/"}]


def test_the_docs_need_no_network(house: House) -> None:
    page = httpx.get(f"{house.url}/crossing-minds/docs")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert "/crossing-minds/openapi-3.0.json" in page.text and "://" not in page.text
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/crossing-minds/docs/{name}" in page.text
        assert httpx.get(f"{house.url}/crossing-minds/docs/{name}").status_code == 200
    assert httpx.get(f"{house.url}/crossing-minds/docs/../app.py").status_code == 404
    assert httpx.post(f"{house.url}/crossing-minds/docs").status_code == 405


def test_a_rate_limit() -> None:
    clock = Clock()
    rate = Rate(2.0, clock)
    rate.take("a")
    rate.take("a")
    rate.take("b")
    with pytest.raises(TooManyRequests) as refused:
        rate.take("a")
    assert refused.value.fields["retry_after"] == 1 and refused.value.headers == ((b"retry-after", b"1"),)
    clock.now += 0.5
    rate.take("a")
    with pytest.raises(TooManyRequests):
        rate.take("a")
    slow = Rate(0.1, clock)
    slow.take("a")
    with pytest.raises(TooManyRequests) as refused:
        slow.take("a")
    assert refused.value.fields["retry_after"] == 10
    for _ in range(1000):
        Rate(0.0, clock).take("a")
