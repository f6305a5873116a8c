"""Who asks: base64 of ``pk_...:sk_...``, with the word Basic or without (2.1)."""

from __future__ import annotations

import base64
import binascii

from serving.octy.errors import bad_request, unauthorized

LONGEST = 1000


def key_pair(header: bytes | None) -> tuple[str, str]:
    """Public and secret key of an Authorization header. Raises OctyError: 400 without one, 401 for a malformed one."""
    if header is None or not header.strip():
        raise bad_request("the Authorization header is missing", field="Authorization")
    token = header.strip()
    word, _, rest = token.partition(b" ")
    if word.lower() == b"basic":
        token = rest.strip()
    if len(token) > LONGEST:
        raise unauthorized()
    try:
        text = base64.b64decode(token + b"=" * (-len(token) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise unauthorized() from None
    public, colon, secret = text.partition(":")
    if not colon or not public.startswith("pk_") or not secret.startswith("sk_"):
        raise unauthorized()
    return public, secret
