"""One open page: what it follows, and how a frame gets to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from awfdrs_site.live.outbox import Outbox
from tenants.access import Identity

MOST_UNDER_WAY_BYTES = 512 * 1024


class Frame:
    """A text that is made once and sent to many; `len` is its size."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __len__(self) -> int:
        return len(self.text)

    @cached_property
    def raw(self) -> bytes:
        """As it is on the wire from a server: one final text frame, not masked (RFC 6455, 5.2)."""
        content = self.text.encode()
        size = len(content)
        if size < 126:
            return bytes((0x81, size)) + content
        if size < 1 << 16:
            return b"\x81\x7e" + size.to_bytes(2, "big") + content
        return b"\x81\x7f" + size.to_bytes(8, "big") + content


LIVE = Frame('{"live":true}')
LOST = Frame('{"live":false}')
MISSED = Frame('{"live":true,"missed":true}')


@dataclass(eq=False)
class OpenPage:
    """One websocket. Made on its event loop; only that may call the methods."""

    identity: Identity
    session_key: str
    # Takes a frame, or the code to close with; returns at once.
    write: Callable[[Frame | int], None]
    topics: frozenset[str] = frozenset()
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    outbox: Outbox = field(default_factory=lambda: Outbox(MOST_UNDER_WAY_BYTES))

    @property
    def tenant_id(self) -> str:
        return str(self.identity.tenant.pk)

    def offer(self, frame: Frame | int) -> None:
        if isinstance(frame, int) or self.outbox.may_send(len(frame)):
            self.write(frame)

    def took(self, frames: int) -> None:
        """The page says that it took so many more."""
        if self.outbox.took(frames):
            self.offer(MISSED)
