"""The signed call to a workflow engine's retry endpoint (Standard Webhooks 1.0).

Says what is certain: `accepted` and `refused` are the engine's own words; everything else is
`unknown`, because a request whose answer was lost may well have been carried out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from actions import addresses
from actions.catalog.kind import Certainty, Outcome
from actions.outbound import DEADLINE_SECONDS, AnswerLost, Client, NotCalled, Reply
from awfdrs_site.kernel.strict_json import encode

# A reply that says the engine did not take the request; other 5xx may come after the deed.
_REFUSALS = frozenset(range(400, 500)) | {501, 503}
_DETAIL_CHARS = 500


@dataclass(frozen=True)
class Endpoint:
    """Where and with which `whsec_…` secret to ask for a retry."""

    url: str
    secret: str
    allowed_hosts: tuple[str, ...]

    def objection(self) -> str:
        """Why this address may not be called; empty if it may."""
        if not self.url or not self.secret:
            return "The workflow has no retry endpoint or no secret."
        try:
            _key_of(self.secret)
        except ValueError:
            return "The secret is not whsec_ and base64."
        return addresses.objection(self.url, self.allowed_hosts)


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` + base64 HMAC-SHA256 of `id.timestamp.body` (Standard Webhooks, "Signature scheme")."""
    content = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.digest(_key_of(secret), content, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def _key_of(secret: str) -> bytes:
    """The key in a `whsec_…` secret; raises ValueError if there is none in it."""
    return base64.b64decode(secret.removeprefix("whsec_"))


def request_retry(endpoint: Endpoint, key: str, body: Mapping[str, Any], now: datetime) -> Outcome:
    """POST the retry once. Never raises for anything the network or the engine does."""
    if objection := endpoint.objection():
        return Outcome("refused", 0, objection)
    content = encode(body)
    headers = signed(endpoint.secret, key, content, now) | {"Content-Type": "application/json"}
    try:
        reply = _call(endpoint, "POST", endpoint.url, headers, content)
    except NotCalled as error:
        return Outcome("refused", 0, str(error))
    except AnswerLost as error:
        return Outcome("unknown", 0, f"The engine's answer was lost: {error}")
    return answered(reply)


def answered(reply: Reply) -> Outcome:
    """What a reply to a request to do something proves."""
    return Outcome(certainty_of(reply.status), reply.status, reply.text[:_DETAIL_CHARS])


def certainty_of(status: int) -> Certainty:
    """Whether a reply of this status says that the request was taken."""
    if 200 <= status < 300:
        return "accepted"
    return "refused" if status in _REFUSALS else "unknown"


def ask_status(endpoint: Endpoint, key: str, now: datetime) -> Outcome:
    """Ask the engine whether it ever received `key`: accepted, refused (it did not) or unknown."""
    if objection := endpoint.objection():
        return Outcome("unknown", 0, objection)
    url = f"{endpoint.url.rstrip('/')}/{key}"
    try:
        reply = _call(endpoint, "GET", url, signed(endpoint.secret, key, b"", now), b"")
    except (NotCalled, AnswerLost) as error:
        return Outcome("unknown", 0, f"The engine does not answer: {error}")
    return arrived(reply)


def arrived(reply: Reply) -> Outcome:
    """What a reply to the question after a key proves: 200 it came, 404 it did not."""
    known: dict[int, Certainty] = {200: "accepted", 404: "refused"}
    return Outcome(known.get(reply.status, "unknown"), reply.status, reply.text[:_DETAIL_CHARS])


def signed(secret: str, key: str, content: bytes, now: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks, and the Idempotency-Key."""
    timestamp = int(now.timestamp())
    return {
        "Idempotency-Key": key,
        "webhook-id": key,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, key, timestamp, content),
    }


def _call(
    endpoint: Endpoint, method: str, url: str, headers: dict[str, str], content: bytes
) -> Reply:
    client = Client(endpoint.allowed_hosts, seconds=DEADLINE_SECONDS)
    return client.call(method, url, headers, content)
