"""Bodies of requests (2.1): JSON with or without saying so, up to 16 MiB, in good time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from serving.arrival import Late, TooLarge, arrived
from serving.asgi import Receive
from serving.octy.errors import OctyError, bad_request, misfit

LIMIT = 16 << 20
BESIDE = 256 << 10  # bytes from which a body is parsed beside the event loop
JSON = b"application/json"


async def read_body(headers: Mapping[bytes, bytes], receive: Receive) -> dict[str, Any]:
    """The JSON object of a request. Raises OctyError: 400 for another media type or no JSON, 413, 422 for no
    object.
    """
    try:
        raw = await arrived(headers, receive, LIMIT)
    except TooLarge:
        raise OctyError(413, f"the body has more than {LIMIT >> 20} MiB") from None
    except Late as error:
        raise bad_request(str(error)) from None
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind not in (b"", JSON):
        raise bad_request("the Content-Type must be application/json", field="Content-Type")
    return await asyncio.to_thread(parse, raw) if len(raw) > BESIDE else parse(raw)


def parse(raw: bytes) -> dict[str, Any]:
    """The JSON object in bytes. Raises OctyError."""
    try:
        found = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is no JSON: {error}") from None
    if type(found) is not dict:
        raise misfit("body", "must be a JSON object")
    return found
