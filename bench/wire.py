"""A lean websocket client for hundreds of pages in one process: asyncio's protocol, nothing more.

What it costs counts against both sides alike, so it should be little: frames are cut out of the
stream and handed on as bytes; nothing is parsed that the measure does not need.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

OPEN_SECONDS = 60
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


class Wire(asyncio.Protocol):
    """One websocket. `heard` is called with each text frame."""

    def __init__(self, heard: Callable[[bytes], None]) -> None:
        self._heard = heard
        self._rest = bytearray()
        self._is_open = False
        self.opened = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionError("the handshake was refused"))

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if not self._is_open:
            head, end, rest = self._rest.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.opened.set_exception(ConnectionError(bytes(head[:200])))
                return
            self._is_open, self._rest = True, rest
            self.opened.set_result(None)
        while frame := self._cut():
            kind, content = frame
            if kind == TEXT:
                self._heard(content)
            elif kind == PING:
                self._send(PONG, content)

    def _cut(self) -> tuple[int, bytes] | None:
        """The next whole frame of the stream: its kind and content."""
        rest = self._rest
        if len(rest) < 2:
            return None
        size, at = rest[1], 2
        if size == 126:
            size, at = int.from_bytes(rest[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(rest[2:10], "big"), 10
        if len(rest) < at + size:
            return None
        content = bytes(rest[at : at + size])
        kind = rest[0] & 0x0F
        del rest[: at + size]
        return kind, content

    def send(self, text: bytes) -> None:
        self._send(TEXT, text)

    def _send(self, kind: int, content: bytes) -> None:
        # Masked by zeros: a client's frame has to say that it is masked.
        size = len(content)
        head = bytes([0x80 | kind, 0x80 | size]) if size < 126 else None
        head = head or bytes([0x80 | kind, 0xFE]) + size.to_bytes(2, "big")
        self.transport.write(head + bytes(4) + content)


async def connect(
    url: str, heard: Callable[[bytes], None], headers: Mapping[str, str] | None = None
) -> Wire:
    """An open websocket at `url` (http://host:port/path), with its own Origin."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, wire = await loop.create_connection(lambda: Wire(heard), parts.hostname, parts.port)
    fields = {
        "Host": parts.netloc,
        "Origin": f"http://{parts.netloc}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        **(headers or {}),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    wire.transport.write(f"GET {parts.path} HTTP/1.1\r\n{lines}\r\n".encode())
    async with asyncio.timeout(OPEN_SECONDS):
        await wire.opened
    return wire
