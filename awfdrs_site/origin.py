"""Only our own pages may open a websocket: a browser sends the session's cookie along."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


def is_same_origin(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether `Origin` names the host (and port) asked, or one of CSRF_TRUSTED_ORIGINS.

    A missing Origin is refused: every browser sends it with a websocket's handshake.
    """
    named = {name.lower(): value.decode("latin1") for name, value in headers}
    host, origin = named.get(b"host", ""), named.get(b"origin", "")
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


class SameOrigin:
    """ASGI middleware: a handshake from another site is refused with 403."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.denier: Application = WebsocketDenier.as_asgi()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        allowed = is_same_origin(scope.get("headers", []))
        await (self.application if allowed else self.denier)(scope, receive, send)
