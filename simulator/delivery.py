"""What becomes of one posted event: pure judgement of an answer, and the record of a delivery."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from simulator.events import Event

FIRST_BACKOFF_SECONDS = 0.25
_CONFLICT = 409


class Fate(StrEnum):
    """Where a delivery stands; all but PENDING are final."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    UNSENT = "unsent"


@dataclass(frozen=True)
class Judgement:
    """What an answer means. `wait_seconds` is set when the event is to be posted again;
    `everyone` says that the wait holds for all events, not only for this one's resource."""

    fate: Fate
    code: str = ""
    event_id: str | None = None
    wait_seconds: float | None = None
    everyone: bool = False


@dataclass
class Delivery:
    """One event on its way; `wait` blocks until its fate is known."""

    event: Event
    submitted_at: float
    fate: Fate = Fate.PENDING
    code: str = ""
    http_status: int | None = None
    event_id: str | None = None
    attempts: int = 0
    _settled: threading.Event = field(default_factory=threading.Event, repr=False)

    def settle(self, fate: Fate, code: str = "", event_id: str | None = None) -> None:
        """Set the final fate; the waiting ones go on."""
        self.fate, self.code, self.event_id = fate, code, event_id
        self._settled.set()

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """True once the fate is final, False when the time is over before."""
        return self._settled.wait(timeout_seconds)


def backoff_seconds(attempts: int, max_seconds: float) -> float:
    """Exponential wait after the given number of failed attempts (≥ 1), without jitter."""
    # The exponent is capped: 2**10000 does not fit a float.
    return min(max_seconds, FIRST_BACKOFF_SECONDS * 2.0 ** min(attempts - 1, 20))


def retry_after_seconds(value: str | None, now: datetime, max_seconds: float) -> float | None:
    """The seconds a ``Retry-After`` header asks for (number or HTTP date), within 0…max_seconds.

    None when the header is missing or unreadable.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(max_seconds, float(text))
    try:
        seconds = (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max_seconds, max(0.0, seconds))


def judge(
    status: int,
    headers: Mapping[str, str],
    document: Mapping[str, Any],
    *,
    attempts: int,
    now: datetime,
    max_wait_seconds: float,
) -> Judgement:
    """What an HTTP answer to ``POST /events`` means for the event.

    A vendor's open breaker concerns this event alone; a spent quota or a missing dependency
    concerns all, so everything waits.
    """
    code = str(document.get("code") or status)
    event_id = str(document["event_id"]) if document.get("event_id") else None
    if 200 <= status < 300:
        return Judgement(Fate.ACCEPTED, event_id=event_id)
    if status == _CONFLICT and code == "duplicate_event":
        return Judgement(Fate.DUPLICATE, code, event_id)
    if status in (408, 425, 429) or status >= 500:
        asked = retry_after_seconds(headers.get("retry-after"), now, max_wait_seconds)
        wait = backoff_seconds(attempts, max_wait_seconds) if asked is None else asked
        everyone = status == 429 or (status == 503 and code != "circuit_open")
        return Judgement(Fate.PENDING, code, wait_seconds=wait, everyone=everyone)
    return Judgement(Fate.REFUSED, code, event_id)
