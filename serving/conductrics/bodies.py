"""Bodies of requests: up to 1 MiB, in good time (3.4)."""

from __future__ import annotations

from collections.abc import Mapping

from serving.arrival import Late, TooLarge, arrived
from serving.asgi import Receive
from serving.conductrics.errors import ApiError, bad_request

LIMIT = 1 << 20


async def read_body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """The whole body. Raises ApiError (400, 413) and Gone."""
    try:
        return await arrived(headers, receive, LIMIT)
    except TooLarge:
        raise ApiError(413, f"the body has more than {LIMIT} bytes") from None
    except Late as error:
        raise bad_request(str(error)) from None
