"""Bodies of requests (2.1): JSON with or without saying so, up to 16 MiB, in good time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from serving.asgi import Receive
from serving.octy.errors import OctyError, bad_request, misfit

LIMIT = 16 << 20
SECONDS = 30.0
BESIDE = 256 << 10  # bytes from which a body is parsed beside the event loop
JSON = b"application/json"


class Gone(Exception):
    """The client left before its request was complete."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive) -> dict[str, Any]:
    """The JSON object of a request. Raises OctyError: 400 for another media type or no JSON, 413, 422 for no object."""
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced[:20]) > LIMIT:
        raise _too_large()
    try:
        async with asyncio.timeout(SECONDS):
            raw = await _collected(receive)
    except TimeoutError:
        raise bad_request(f"the body did not arrive within {SECONDS:g} seconds") from None
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind not in (b"", JSON):
        raise bad_request("the Content-Type must be application/json", field="Content-Type")
    return await asyncio.to_thread(parse, raw) if len(raw) > BESIDE else parse(raw)


async def _collected(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size > LIMIT:
            raise _too_large()
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def parse(raw: bytes) -> dict[str, Any]:
    """The JSON object in bytes. Raises OctyError."""
    try:
        found = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is no JSON: {error}") from None
    if type(found) is not dict:
        raise misfit("body", "must be a JSON object")
    return found


def _too_large() -> OctyError:
    told = f"the body has more than {LIMIT >> 20} MiB"
    return OctyError(413, told, headers=((b"connection", b"close"),))
