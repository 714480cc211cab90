"""When an incident is late, comes back, or is over. Pure: instants in, answers out."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

# A failure of a signature resolved longer ago than this is a new incident, not a regression.
REOPEN_WINDOW = timedelta(hours=24)


class Arrival(Enum):
    """What a failure means for the last, resolved incident of its signature [I7]."""

    LATE = "late"  # it happened before the resolution: counted, reopens nothing
    REGRESSION = "regression"  # it happened after: the incident is open again
    NEW = "new"  # too long after: a new incident


def arrival(
    *, occurred_at: datetime, received_at: datetime, clock_skew: bool, resolved_at: datetime
) -> Arrival:
    """Judge by event time against resolve time; a skewed clock is judged by receipt instead."""
    happened_at = received_at if clock_skew else occurred_at
    if happened_at <= resolved_at:
        return Arrival.LATE
    return Arrival.NEW if happened_at > resolved_at + REOPEN_WINDOW else Arrival.REGRESSION
