"""A site for a test: a websocket that says something is sent two frames, one in each way."""

from __future__ import annotations

from typing import Any

from awfdrs_site.live.direct import WRITE, offering


async def _sockets(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await receive()
    await send({"type": "websocket.send", "text": '"by asgi"'})
    scope[WRITE](b'\x81\x0a"as it is"')
    await receive()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await offering(_sockets)(scope, receive, send)  # type: ignore[arg-type]
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
