"""What one page was sent and has not taken yet: bounded, so that a slow page holds up nobody.

Pure. A page says now and then how many frames it took. Over `most` bytes under way it gets nothing;
once it is down to half of them it is told that it missed something, and fetches itself.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass
class Outbox:
    """`most`: bytes under way, except that a single frame may have any size."""

    most: int
    is_behind: bool = False
    _under_way: deque[int] = field(default_factory=deque)
    _size: int = 0

    def may_send(self, size: int) -> bool:
        """Whether a frame of `size` bytes is to be sent now; else the page is behind from now."""
        if self.is_behind or (self._under_way and self._size + size > self.most):
            self.is_behind = True
            return False
        self._under_way.append(size)
        self._size += size
        return True

    def took(self, frames: int) -> bool:
        """The page took its oldest frames; whether it is now to be told that it missed some."""
        for _ in range(min(frames, len(self._under_way))):
            self._size -= self._under_way.popleft()
        # Not only once it took all: it keeps back its word about the last few.
        if not self.is_behind or self._size > self.most // 2:
            return False
        self.is_behind = False
        return True
