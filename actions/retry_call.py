"""The signed call to a workflow engine's retry endpoint (Standard Webhooks 1.0).

Says what is certain: `accepted` and `refused` are the engine's own words; everything else is
`unknown`, because a request whose answer was lost may well have been carried out.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from actions.catalog.kind import Outcome
from awfdrs_site.kernel.strict_json import encode

DEADLINE_SECONDS = 10.0
REPLY_LIMIT = 64 * 1024
# A reply that says the engine did not take the request; other 5xx may come after the deed.
_REFUSALS = frozenset(range(400, 500)) | {501, 503}


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
            parts = urlsplit(self.url)
            # Each raises where it cannot be read.
            httpx.URL(self.url), parts.port, _key_of(self.secret)
        except (httpx.InvalidURL, ValueError):
            return "The retry address is no address, or the secret is not whsec_ and base64."
        if parts.scheme not in ("http", "https") or parts.username is not None:
            return "The retry address must be plain http(s) without a user name."
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        if host not in self.allowed_hosts:
            return f"{host} is not among RETRY_ALLOWED_HOSTS."
        return ""


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
    headers = _headers(endpoint, key, content, now) | {"Content-Type": "application/json"}
    try:
        status, text = _exchange("POST", endpoint.url, headers, content)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
        return Outcome("refused", 0, f"No connection to the engine: {error}")
    except (httpx.HTTPError, TimeoutError) as error:
        return Outcome("unknown", 0, f"The engine's answer was lost: {error!r}")
    if 200 <= status < 300:
        return Outcome("accepted", status, text)
    return Outcome("refused" if status in _REFUSALS else "unknown", status, text)


def ask_status(endpoint: Endpoint, key: str, now: datetime) -> Outcome:
    """Ask the engine whether it ever received `key`: accepted, refused (it did not) or unknown."""
    if objection := endpoint.objection():
        return Outcome("unknown", 0, objection)
    try:
        headers = _headers(endpoint, key, b"", now)
        status, text = _exchange("GET", f"{endpoint.url.rstrip('/')}/{key}", headers, b"")
    except (httpx.HTTPError, TimeoutError) as error:
        return Outcome("unknown", 0, f"The engine does not answer: {error!r}")
    if status == 200:
        return Outcome("accepted", status, text)
    return Outcome("refused" if status == 404 else "unknown", status, text)


def _headers(endpoint: Endpoint, key: str, content: bytes, now: datetime) -> dict[str, str]:
    timestamp = int(now.timestamp())
    return {
        "Idempotency-Key": key,
        "webhook-id": key,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(endpoint.secret, key, timestamp, content),
    }


def _exchange(method: str, url: str, headers: dict[str, str], content: bytes) -> tuple[int, str]:
    """Status and start of the reply; TimeoutError when it is not all there at the deadline."""
    return asyncio.run(_exchange_in_time(method, url, headers, content))


async def _exchange_in_time(
    method: str, url: str, headers: dict[str, str], content: bytes
) -> tuple[int, str]:
    """One request, no redirects, no proxies of the environment, a bounded reply.

    httpx bounds each read alone, and an engine may drip; the deadline bounds the whole.
    """
    timeout = httpx.Timeout(DEADLINE_SECONDS / 2)
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        httpx.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False) as client,
        client.stream(method, url, headers=headers, content=content) as reply,
    ):
        received = b""
        async for chunk in reply.aiter_bytes():
            received += chunk
            if len(received) > REPLY_LIMIT:
                break
        return reply.status_code, received[:500].decode("utf-8", "replace")
