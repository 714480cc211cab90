"""Standard Webhooks signatures: HMAC-SHA256 over ``id.timestamp.body``, base64, prefixed ``v1,``.

Source: the Standard Webhooks specification, https://www.standardwebhooks.com/.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping

SECRET_PREFIX = "whsec_"  # noqa: S105 - how every secret begins, not one
TOLERANCE_SECONDS = 300
# The longest unix time still in seconds: more digits can only be milliseconds or an attack.
_TIMESTAMP_DIGITS = 11


class SignatureError(Exception):
    """The request is not from the holder of the secret, or is too old; the text says why."""


def new_secret() -> str:
    """A fresh secret of 32 random bytes, written ``whsec_<base64>``."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def secret_key(secret: str) -> bytes:
    """The key bytes of a ``whsec_<base64>`` secret; ValueError when it is not one."""
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"a signing secret starts with {SECRET_PREFIX}")
    try:
        key = base64.b64decode(secret[len(SECRET_PREFIX) :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a signing secret is whsec_ and then base64") from error
    if len(key) < 16:
        raise ValueError("a signing secret has at least 16 bytes")
    return key


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature`` for one message; `timestamp` in unix seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret_key(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode("ascii")


def signed_headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three ``webhook-*`` headers of one message; `timestamp` in unix seconds."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }


def check_signature(secret: str, headers: Mapping[str, str], body: bytes, *, now: float) -> str:
    """The verified message id of a request; SignatureError when it must be answered 401.

    `headers` is any case-insensitive mapping, or a plain one with lower-case names; `now` in unix
    seconds. The header may hold several signatures separated by spaces (a secret being rotated).
    """
    message_id = headers.get("webhook-id") or ""
    stamp = headers.get("webhook-timestamp") or ""
    given = headers.get("webhook-signature") or ""
    if not (message_id and stamp and given):
        raise SignatureError("webhook-id, webhook-timestamp and webhook-signature are required")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _TIMESTAMP_DIGITS):
        raise SignatureError("webhook-timestamp is not unix seconds")
    if abs(now - int(stamp)) > TOLERANCE_SECONDS:
        raise SignatureError("webhook-timestamp is more than 5 minutes off")
    expected = signature(secret, message_id, int(stamp), body).encode("ascii")
    candidates = [part.encode("utf-8", "surrogatepass") for part in given.split()]
    # Every candidate is compared, each in constant time: how long it takes tells nothing.
    matches = [hmac.compare_digest(expected, candidate) for candidate in candidates]
    if not any(matches):
        raise SignatureError("webhook-signature does not match")
    return message_id
