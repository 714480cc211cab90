"""Did a recovery last? What fails again soon after a retry had worked was not mended by it [S7]."""

from __future__ import annotations

from datetime import datetime, timedelta

# Recoveries that did not last are counted over this time.
WINDOW = timedelta(days=1)


def came_back(
    *, retried_at: datetime, worked_at: datetime, failed_at: datetime, window_seconds: int
) -> bool:
    """Whether the thing that was retried, and seen to work, failed again too soon.

    `worked_at`: when that was verified, some seconds after the success that proved it.
    """
    return retried_at < failed_at <= worked_at + timedelta(seconds=window_seconds)
