"""Every error as the contract writes it (§4)."""

from __future__ import annotations

import logging

import orjson
import pytest

from contracts.errors import NotFound, StorageError
from serving.crossing_minds import errors as e
from serving.refusals import Refusal


def told(error: e.ApiError) -> dict[str, object]:
    document: dict[str, object] = orjson.loads(error.body())
    assert list(document) == ["error_code", "error_name", "message", "error_data"]
    return document


def test_the_examples_of_the_contract() -> None:
    assert told(e.DuplicatedError("DUPLICATED_ITEM_ID", "item", 417)) == {
        "error_code": 42, "error_name": "DuplicatedError", "message": "The item 417 is duplicated",
        "error_data": {"name": "DUPLICATED_ITEM_ID", "type": "item", "key": 417},
    }
    assert told(e.JwtTokenExpired()) == {
        "error_code": 22, "error_name": "JwtTokenExpired", "message": "The JWT token has expired",
        "error_data": {"name": "INCORRECT_JWT_TOKEN"},
    }


# error, code, error_name, HTTP, members of error_data
TABLE = [
    (e.ServerError(), 0, "ServerError", 500, {}),
    (
        e.not_ready(), 1, "ServerUnavailable", 503,
        {"name": "DATABASE_NOT_READY", "error": "No run of this database is published yet"},
    ),
    (e.TooManyRequests(3), 2, "TooManyRequests", 429, {"name": "RATE_LIMIT_OVERFLOW", "retry_after": 3}),
    (
        e.AuthError("INCORRECT_PASSWORD", "wrong"), 21, "AuthError", 401,
        {"name": "INCORRECT_PASSWORD", "error": "wrong"},
    ),
    (e.RefreshTokenExpired(), 28, "RefreshTokenExpired", 401, {"name": "REFRESH_TOKEN_EXPIRED"}),
    (
        e.wrong_type("amt", "must be a number"), 40, "WrongData", 400,
        {"name": "WRONG_DATA_TYPE", "error": "amt: must be a number", "query": {"amt": ["must be a number"]}},
    ),
    (
        e.wrong_parameter("amt", "x"), 40, "WrongData", 400,
        {"name": "WRONG_PARAMETER", "error": "amt: x", "query": {"amt": ["x"]}},
    ),
    (e.wrong_op("f", "x"), 40, "WrongData", 400, {"name": "WRONG_OP_USE", "error": "f: x", "query": {"f": ["x"]}}),
    (
        e.wrong_id("item", "item_id", "ü", "hex8"), 40, "WrongData", 400,
        {
            "name": "INCORRECT_ITEM_ID_TYPE", "error": "item_id: ü is no item id of type hex8",
            "query": {"item_id": ["ü is no item id of type hex8"]},
        },
    ),
    (
        e.ForbiddenError("INCORRECT_ROLE", "no"), 50, "ForbiddenError", 403,
        {"name": "INCORRECT_ROLE", "error": "no"},
    ),
    (
        e.NotFoundError("SCENARIO_NOT_FOUND", "scenario", "home"), 60, "NotFoundError", 404,
        {"name": "SCENARIO_NOT_FOUND", "type": "scenario", "key": "home"},
    ),
    (
        e.NotFoundError("DATABASE_NOT_FOUND", "database", None), 60, "NotFoundError", 404,
        {"name": "DATABASE_NOT_FOUND", "type": "database", "key": None},
    ),
    (
        e.MethodNotAllowed("PATCH"), 70, "MethodNotAllowed", 405,
        {"name": "HTTP_METHOD_NOT_ALLOWED", "method": "PATCH"},
    ),
]


@pytest.mark.parametrize(("error", "code", "name", "http", "data"), TABLE)
def test_each_row_of_the_table(error: e.ApiError, code: int, name: str, http: int, data: dict[str, object]) -> None:
    document = told(error)
    assert (error.status, document["error_code"], document["error_name"], document["error_data"]) == (
        http, code, name, data
    )
    message = str(document["message"])
    assert message and "{" not in message and "None" not in message


def leaves(cls: type[e.ApiError]) -> set[type[e.ApiError]]:
    return {cls} if not cls.__subclasses__() else {leaf for sub in cls.__subclasses__() for leaf in leaves(sub)}


def test_the_tree_and_the_table_hold_the_same_errors() -> None:
    assert {type(row[0]) for row in TABLE} | {e.DuplicatedError, e.JwtTokenExpired} == leaves(e.ApiError)


@pytest.mark.parametrize(
    ("foreign", "status", "code"),
    [
        (StorageError("attempt to write a readonly database"), 503, 1),
        (Refusal(503, "storage", "disk full"), 503, 1),
        (RecursionError("deep"), 400, 40),
        (NotFound("a secret path"), 500, 0),
        (KeyError("secret"), 500, 0),
        (ZeroDivisionError(), 500, 0),
    ],
)
def test_foreign_errors_become_ours_and_tell_nothing(
    foreign: Exception, status: int, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL):
        ours = e.as_api_error(foreign, "GET /x")
    document = told(ours)
    assert (ours.status, document["error_code"]) == (status, code)
    assert b"secret" not in ours.body() and b"Error(" not in ours.body()
    if code == 0:
        assert document["error_data"] == {}


def test_a_long_text_of_the_client_is_not_repeated_whole() -> None:
    assert len(e.wrong_id("item", "item_id", "x" * 10_000, "hex8").body()) < 1000
