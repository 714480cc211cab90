"""Times as RFC 3339 writes them, and nothing looser."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?(?P<offset>[Zz]|[+-]\d\d:\d\d)?", re.ASCII
)

# Nobody's workflow ran before; such a time is a sender's default value.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_OUT_OF_RANGE = "Out of range: from 1970 to 9999."


def parse_instant(text: str) -> datetime:
    """An RFC 3339 date-time, in UTC; fractions beyond microseconds are cut.

    Raises ValueError with a sentence for people: also where the offset is missing (the server's
    zone would be guessed) and for times before 1970 or after 9999 in UTC.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("Not an RFC 3339 time such as 2026-01-31T12:00:00Z.")
    if match["offset"] is None:
        raise ValueError("Give an offset, such as Z or +01:00.")
    try:
        instant = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError("There is no such date or time of day.") from None
    try:
        instant = instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(_OUT_OF_RANGE) from None
    if instant < EARLIEST:
        raise ValueError(_OUT_OF_RANGE)
    return instant
