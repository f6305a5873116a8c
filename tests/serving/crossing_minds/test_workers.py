"""Several processes serve one installation: what one is told, the others know (here: several endpoints)."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx

from contracts.settings import Serving, Settings
from serving.app import Endpoint
from store.control import Control, Holder
from store.layout import Layout
from tests.serving.crossing_minds.conftest import build
from tests.serving.served import Clock, serving

NEW = {"name": "films", "item_id_type": "uint32", "user_id_type": "uuid"}


def test_tokens_accounts_and_databases_are_known_to_every_worker(tmp_path: Path) -> None:
    clock, settings = Clock(), Settings()
    house = build(tmp_path, clock, settings)
    first, second = (Endpoint(house.layout, settings, clock=clock) for _ in range(2))
    with house.control, serving(first) as house.url, serving(second) as other:
        token = house.token("manager")
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=other + "/crossing-minds", headers=headers, timeout=20) as elsewhere:
            assert elsewhere.get("/databases/current/status/").json() == {"status": "ready"}
            made = elsewhere.post("/databases/", json=NEW).json()["id"]
            here, there = house.client("manager", db_id=made), house.client("manager", db_id=made)
            there.base_url = other + "/crossing-minds"
            with here, there:
                assert here.get("/databases/current/status/").json() == {"status": "pending"}
                assert there.get("/databases/current/status/").json() == {"status": "pending"}
                assert there.delete("/databases/current/").status_code == 204
                gone = here.get("/databases/current/status/")
                assert (gone.status_code, gone.json()["error_data"]["name"]) == (404, "DATABASE_NOT_FOUND")
            time.sleep(0.6)  # let the first one let go of it
            assert [row["name"] for row in elsewhere.get("/databases/").json()["databases"]] == ["shop", "second"]
            house.control.delete_account("service", "service-manager")
            assert elsewhere.get("/databases/").json()["error_code"] == 22


def test_a_holder_is_given_one_refresh_token_whoever_asks_first(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with Control.open(layout) as one, Control.open(layout) as two:
        assert one.org_id == two.org_id and one.derived_key("token") == two.derived_key("token")
        assert one.derived_key("token") != one.derived_key("refresh")
        given: list[str] = []
        holder = Holder("a", "d", "u", None)
        threads = [
            threading.Thread(target=lambda control=control: given.append(control.refresh_token(holder)))
            for control in (one, two) * 4
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(given) == 8 and len(set(given)) == 1
        others = (
            Holder("a", "d", "u", "u"), Holder("a", "d"), Holder("a"), Holder("b", "d", "u"), Holder("a", None, "u")
        )
        tokens = {one.refresh_token(other) for other in others}
        assert len(tokens) == 5 and not tokens & set(given)
        known = two.refresh_holder(given[0])
        assert known is not None and known.holder == holder and not known.expired


def test_a_rate_limit_is_kept(tmp_path: Path) -> None:
    clock, settings = Clock(), Settings(serving=Serving(rate_limit=2.0, cors_origins=("https://shop.test",)))
    house = build(tmp_path, clock, settings)
    endpoint = Endpoint(house.layout, settings, clock=clock)
    with house.control, serving(endpoint) as house.url, house.client("root") as client:
        answers = [client.get("/databases/current/status/") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].json()["error_data"] == {"name": "RATE_LIMIT_OVERFLOW", "retry_after": 1}
        assert answers[2].headers["retry-after"] == "1"
        clock.now += 1
        assert client.get("/databases/current/status/").status_code == 200
        for origin, allowed in (("https://shop.test", "https://shop.test"), ("https://else.test", None)):
            answer = client.get("/", headers={"Origin": origin})
            assert answer.headers.get("access-control-allow-origin") == allowed
