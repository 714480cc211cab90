"""On daphne a frame that was made once is written to each page's connection as it is.

ASGI's own way would encode the text and frame it anew for every page, which costs several times
what the writing does. Another server, or a daphne that is built otherwise, is given it so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from awfdrs_site.origin import Application, Scope

# Of the scope: takes a whole websocket frame. None: only ASGI's `send` is to be had.
WRITE = "awfdrs.write"


def offering(application: Application) -> Application:
    """ASGI middleware, outermost: says in the scope how frames can be written as they are."""

    async def offered(scope: Scope, receive: Any, send: Any) -> None:
        await application({**scope, WRITE: _write_of(send)}, receive, send)

    return offered


def _write_of(send: Any) -> Callable[[bytes], None] | None:
    """Daphne's `send` is a partial, with the connection's protocol."""
    protocol = next(iter(getattr(send, "args", ())), None)
    is_daphne = type(protocol).__module__ == "daphne.ws_protocol"
    return partial(_write, protocol) if is_daphne else None


def _write(protocol: Any, raw: bytes) -> None:
    if protocol.state != protocol.STATE_OPEN:
        return
    # Daphne agrees to no compression, which would ask for a frame for each page.
    transport = protocol.transport
    # Where nothing waits, at once: `write` has the event loop watch for when the socket can be
    # written to, as it nearly always can, and that costs more than the writing.
    if getattr(transport, "_tempDataBuffer", True) or transport.dataBuffer:
        transport.write(raw)
        return
    sent = transport.writeSomeData(raw)
    # No number: the connection is lost, as `write` will find and tell.
    rest = raw[sent:] if isinstance(sent, int) else raw
    if rest:
        transport.write(rest)
