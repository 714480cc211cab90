"""Times as RFC 3339 writes them, and nothing looser."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awfdrs_site.kernel.instants import EARLIEST, parse_instant


@given(st.datetimes(datetime(1970, 1, 2), timezones=st.timezones()))
def test_it_reads_what_python_writes(instant: datetime) -> None:
    offset = instant.utcoffset()
    if offset is None or offset.total_seconds() % 60 or instant.astimezone(UTC) < EARLIEST:
        return
    # In UTC: Python compares an hour that a zone has twice by its own rules.
    assert parse_instant(instant.isoformat()) == instant.astimezone(UTC)
    assert parse_instant(instant.isoformat()).tzinfo is UTC


@given(st.text())
def test_it_raises_nothing_but_its_own_error(text: str) -> None:
    try:
        assert parse_instant(text) >= EARLIEST
    except ValueError as error:
        assert str(error).endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        *("2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00Z", "2026-02-29T12:00:00Z"),
        *("2026-01-31T24:00:00Z", "2026-01-31T12:00:60Z", "2026-01-31T12:00:00+24:00"),
        *("1969-12-31T23:59:59Z", "9999-12-31T23:59:59-00:01", "\u0662026-01-31T12:00:00Z"),
    ],
)
def test_it_takes_exact_instants_alone(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_instant(text)
