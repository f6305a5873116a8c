"""Every rule of logins, tokens and refresh tokens (§3)."""

from __future__ import annotations

import base64
import json

import httpx
import jwt
import pytest

from tests.serving.crossing_minds.conftest import PASSWORD, House
from tests.serving.served import START

EXPIRED = {
    "error_code": 22, "error_name": "JwtTokenExpired", "message": "The JWT token has expired",
    "error_data": {"name": "INCORRECT_JWT_TOKEN"},
}
DAY = 86_400.0


@pytest.fixture(autouse=True)
def _now(house: House):
    yield
    house.clock.now = START


def login(house: House, kind: str = "service", **body: object) -> httpx.Response:
    return httpx.post(f"{house.url}/crossing-minds/v1/login/{kind}/", json=body, timeout=30)


def test_a_service_logs_in_to_a_database(house: House) -> None:
    answer = login(house, name="service-backend", password=house.keys["backend"], db_id=house.shop)
    told = answer.json()
    assert answer.status_code == 200
    assert set(told) == {"token", "refresh_token", "org_id", "role", "database"}
    assert told["role"] == "backend"
    assert told["database"] == {
        "id": house.shop, "name": "shop", "description": "A shop", "item_id_type": "urlsafe32",
        "user_id_type": "urlsafe64", "session_id_type": "urlsafe64", "status": "ready",
    }


def test_a_person_logs_in_also_by_the_old_route(house: House) -> None:
    for kind in ("individual", "root"):
        told = login(house, kind, email="ada@example.ORG", password=PASSWORD).json()
        assert set(told) == {"token", "refresh_token", "org_id", "role", "account"}
        assert told["account"].items() >= {
            "role": "manager", "email": "ada@example.org", "first_name": "Ada", "last_name": "Lovelace"
        }.items()


def test_the_id_wins_over_the_name(house: House) -> None:
    key = house.keys["backend"]
    both = login(house, name="service-backend", password=key, db_id=house.second, db_name="shop")
    assert both.json()["database"]["name"] == "second"
    assert both.json()["database"]["status"] == "pending"
    assert login(house, name="service-backend", password=key, db_name="shop").json()["database"]["id"] == house.shop


@pytest.mark.parametrize(
    "named", [{"db_id": "nowhere"}, {"db_name": "nowhere"}, {"db_id": "nowhere", "db_name": "shop"}]
)
def test_an_unknown_database(house: House, named: dict[str, str]) -> None:
    answer = login(house, name="service-backend", password=house.keys["backend"], **named)
    assert (answer.status_code, answer.json()["error_code"]) == (404, 60)
    assert answer.json()["error_data"] == {"name": "DATABASE_NOT_FOUND", "type": "database", "key": "nowhere"}


def test_other_databases_do_not_exist_for_a_limited_account(house: House) -> None:
    key = house.keys["limited"]
    assert login(house, name="service-limited", password=key, db_id=house.second).status_code == 200
    refused = login(house, name="service-limited", password=key, db_name="shop")
    assert refused.json()["error_data"]["name"] == "DATABASE_NOT_FOUND"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("service", {"name": "service-backend", "password": "wrong"}),
        ("service", {"name": "nobody", "password": "wrong"}),
        ("service", {"name": "ada@example.org", "password": PASSWORD}),
        ("individual", {"email": "ada@example.org", "password": "wrong"}),
        ("individual", {"email": "nobody@example.org", "password": PASSWORD}),
    ],
)
def test_a_wrong_password_and_an_unknown_account_look_the_same(house: House, kind: str, body: dict[str, str]) -> None:
    answer = login(house, kind, **body)
    told = answer.json()
    assert (answer.status_code, told["error_code"], told["error_name"]) == (401, 21, "AuthError")
    assert told["error_data"]["name"] == "INCORRECT_PASSWORD"
    assert told["error_data"]["error"]
    assert "{" not in told["message"]


def test_logins_ignore_the_authorization_header(house: House) -> None:
    for header in ("Bearer ", "Bearer", "Bearer nonsense", "nonsense"):
        body = json.dumps({"name": "service-backend", "password": house.keys["backend"]}).encode()
        status, _, _ = house.plain("POST", "/crossing-minds/login/service/", {"Authorization": header}, body)
        assert status == 200


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer nonsense", "Basic abc", "Bearer a.b.c"])
def test_a_missing_or_invalid_token_answers_exactly_this(house: House, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    status, _, body = house.plain("GET", "/crossing-minds/databases/current/status/", headers)
    assert (status, json.loads(body)) == (401, EXPIRED)


def test_a_token_of_another_key_or_without_one_is_refused(house: House) -> None:
    told = jwt.decode(house.token("root"), options={"verify_signature": False})
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=")
    for forged in (jwt.encode(told, "x" * 32, algorithm="HS256"), (head + b"." + body + b".").decode()):
        answer = httpx.get(
            f"{house.url}/crossing-minds/databases/current/status/", headers={"Authorization": f"Bearer {forged}"}
        )
        assert answer.json() == EXPIRED


def test_a_token_lives_half_an_hour(house: House) -> None:
    with house.client("backend") as client:
        house.clock.now += 1799
        assert client.get("/databases/current/status/").status_code == 200
        house.clock.now += 1
        assert client.get("/databases/current/status/").json() == EXPIRED


def test_without_a_database_its_routes_do_not_find_one(house: House) -> None:
    with house.client("backend", name="service-backend") as client:
        answer = client.get("/databases/current/status/")
    assert answer.json()["error_data"] == {"name": "DATABASE_NOT_FOUND", "type": "database", "key": None}


def refresh(house: House, token: object, **more: object) -> httpx.Response:
    body = {"refresh_token": token, **more}
    return httpx.post(f"{house.url}/crossing-minds/login/refresh-token/", json=body, timeout=30)


def service_login(house: House, role: str = "backend", **more: object) -> dict[str, object]:
    told: dict[str, object] = login(
        house, name=f"service-{role}", password=house.keys[role], db_id=house.shop, **more
    ).json()
    return told


def test_a_refresh_token_is_replaced_only_in_its_last_three_days(house: House) -> None:
    first = service_login(house)["refresh_token"]
    for days, same in ((1, True), (26.9, True), (27.1, False)):
        house.clock.now = START + days * DAY
        assert (service_login(house)["refresh_token"] == first) is same
        again = refresh(house, first)
        assert again.status_code == 200
        assert (again.json()["refresh_token"] == first) is same
    house.clock.now = START + 30 * DAY - 1
    assert refresh(house, first).status_code == 200
    house.clock.now = START + 30 * DAY
    late = refresh(house, first)
    assert (late.status_code, late.json()["error_code"], late.json()["error_name"]) == (401, 28, "RefreshTokenExpired")
    assert late.json()["error_data"] == {"name": "REFRESH_TOKEN_EXPIRED"}


@pytest.mark.parametrize("token", ["", None, "nonsense", "a.b", "ü", "\x00"])
def test_an_unknown_refresh_token(house: House, token: object) -> None:
    answer = refresh(house, token)
    assert (answer.status_code, answer.json()["error_code"]) == (401, 21)
    assert answer.json()["error_data"]["name"] == "INCORRECT_REFRESH_TOKEN"


def test_a_refresh_token_that_was_changed_is_unknown(house: House) -> None:
    token = str(service_login(house)["refresh_token"])
    changed = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    assert refresh(house, changed).json()["error_data"]["name"] == "INCORRECT_REFRESH_TOKEN"


def test_refreshing_changes_the_database_and_keeps_role_and_frontend_ids(house: House) -> None:
    user = "0b7d2a4e-0000-4000-8000-00000000abcd"
    told = service_login(house, "frontend", frontend_user_id=user, frontend_session_id="s1")
    moved = refresh(house, told["refresh_token"], db_id=house.second).json()
    assert (moved["role"], moved["database"]["id"]) == ("frontend", house.second)
    assert moved["refresh_token"] != told["refresh_token"]
    about = httpx.post(
        f"{house.url}/crossing-minds/login/jwt/", headers={"Authorization": f"Bearer {moved['token']}"}
    ).json()
    assert about["frontend_user_id"] == user
    assert about["frontend_session_id"] == "s1"
    assert about["account"]["role"] == "frontend"
    assert about["database"]["id"] == house.second


def test_the_token_of_a_deleted_account(house: House) -> None:
    key = house.control.create_account("service", "short-lived", "backend")
    told = login(house, name="short-lived", password=key, db_id=house.shop).json()
    house.control.delete_account("service", "short-lived")
    gone = refresh(house, told["refresh_token"])
    assert (gone.status_code, gone.json()["error_data"]["name"]) == (404, "ACCOUNT_NOT_FOUND")
    status = httpx.get(
        f"{house.url}/crossing-minds/databases/current/status/", headers={"Authorization": f"Bearer {told['token']}"}
    )
    assert status.json() == EXPIRED
    assert login(house, name="short-lived", password=key).status_code == 401


def test_frontend_ids_are_read_as_ids(house: House) -> None:
    body = {"name": "service-frontend", "password": house.keys["frontend"], "db_id": house.shop}
    wrong = login(house, **body, frontend_user_id="ü")
    assert wrong.json()["error_data"]["name"] == "INCORRECT_USER_ID_TYPE"
    ignored = service_login(house, "backend", frontend_user_id="u1")
    assert ignored["warnings"] == ["`frontend_user_id` has no effect with role backend"]


@pytest.mark.parametrize(
    "body", [{}, {"name": "service-backend"}, {"name": 1, "password": "x"}, {"name": "x", "password": []}]
)
def test_what_a_login_lacks_is_named(house: House, body: dict[str, object]) -> None:
    answer = login(house, **body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 40)
    assert set(answer.json()["error_data"]["query"]) <= {"name", "password"}


def test_nothing_secret_is_on_disk(house: House) -> None:
    told = service_login(house)
    path = house.layout.control
    stored = b"".join(file.read_bytes() for file in path.parent.glob("control.sqlite*"))
    for secret in (house.keys["backend"], PASSWORD, str(told["refresh_token"]), str(told["token"])):
        assert secret.encode() not in stored
    assert path.stat().st_mode & 0o077 == 0
