"""A site for a test: who speaks is sent a frame in each way, who speaks again long ones."""

from __future__ import annotations

from typing import Any

from awfdrs_site.live.direct import WRITE, offering

# More than the two ends of a connection hold.
LONG_FRAMES, LONG = 64, 1 << 20


async def _word(receive: Any) -> None:
    """Wait until the page says something else than what it took."""
    while "took" in (await receive()).get("text", ""):
        pass


async def _sockets(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await _word(receive)
    await send({"type": "websocket.send", "text": '"by asgi"'})
    scope[WRITE](b'\x81\x0a"as it is"')
    await _word(receive)
    for number in range(LONG_FRAMES):
        content = b"%d" % number + b" " * LONG
        scope[WRITE](b"\x81\x7f" + len(content).to_bytes(8, "big") + content)
    await _word(receive)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await offering(_sockets)(scope, receive, send)  # type: ignore[arg-type]
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
