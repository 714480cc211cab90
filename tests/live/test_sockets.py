"""Real websockets on a real daphne: frames as they are, and a page that reads nothing."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from django.conf import settings
from django.db import transaction

from awfdrs_site.live.page import MOST_UNDER_WAY_BYTES, Frame
from bench import wire
from incidents import announce
from incidents.models import Incident
from tests.api.conftest import an_incident
from tests.cast import Cast
from tests.live.screens import Screen, Screens, is_live, missed
from tests.live.told import LONG_FRAMES

pytestmark = pytest.mark.slow

ROWS = 100
SUBSCRIBE = b'{"subscribe":["incidents"],"age":0}'


def _rename_all(rows: list[Incident], title: str) -> None:
    with transaction.atomic():
        for row in rows:
            Incident.objects.filter(pk=row.pk).update(title=title)
            announce.changed(row)


def test_a_frame_is_written_as_it_is(daphne: Callable[[str], str], screens: Screens) -> None:
    """Daphne is built as we think: frames of ours stand between its own.

    Seen red with another name of daphne's module: each frame would go ASGI's way.
    """
    screen, of_it = screens.connect(daphne("tests.live.told:application"))
    screens.do(of_it.send, SUBSCRIBE)
    screen.await_(lambda frame: frame == "as it is")
    assert screen.frames == ["by asgi", "as it is"]


def test_frames_come_whole_and_in_order(daphne: Callable[[str], str], screens: Screens) -> None:
    """More is written than a reader that pauses lets pass; once it reads, all of it comes.

    Seen red without the rest of a frame of which a part was written.
    """
    url = daphne("tests.live.told:application")
    screen, of_it = screens.connect(url)
    screens.do(of_it.send, SUBSCRIBE)
    screen.await_(lambda frame: frame == "as it is")
    screens.do(of_it.transport.pause_reading)
    screens.do(of_it.send, SUBSCRIBE)
    # Answered by the loop that writes: after it.
    assert httpx.get(url, trust_env=False).status_code == 200
    screens.do(of_it.transport.resume_reading)
    screen.await_(lambda frame: frame == LONG_FRAMES - 1)
    assert screen.frames[2:] == list(range(LONG_FRAMES))


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 70_000])
def test_a_frame_of_any_size_is_read(screens: Screens, size: int) -> None:
    """By a reader that knows nothing of how it was made."""
    heard: list[bytes] = []
    reader = screens.run(_a_wire(heard.append))
    reader._is_open = True
    reader.data_received(Frame("x" * size).raw + Frame("next").raw)
    assert heard == [b"x" * size, b"next"]


async def _a_wire(heard: Callable[[bytes], None]) -> wire.Wire:
    return wire.Wire(heard)


def test_a_page_that_reads_nothing_delays_nobody(
    committed_cast: Cast, screens: Screens, daphne: Callable[[str], str]
) -> None:
    """It is sent what fits and then nothing, while another is sent everything; once it has read
    that, it hears that it missed something, and is live again.

    Seen red without the bound: everything was sent to it.
    """
    url = daphne("awfdrs_site.asgi:application")
    rows = [an_incident(committed_cast.capture) for _ in range(ROWS)]
    session = committed_cast.client_as("alice").cookies[settings.SESSION_COOKIE_NAME].value
    cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"}
    quick, of_quick = screens.connect(url, cookie)
    slow, of_slow = screens.connect(url, cookie)
    for screen, of_it in ((quick, of_quick), (slow, of_slow)):
        screens.do(of_it.send, SUBSCRIBE)
        screen.await_(is_live)
    screens.do(of_slow.transport.pause_reading)
    for turn in range(4):
        _rename_all(rows, f"Turn {turn}")
        _await_turn(quick, turn)
    assert not slow.rows()
    screens.do(of_slow.transport.resume_reading)
    slow.await_(missed)
    assert len("".join(slow.rows())) < MOST_UNDER_WAY_BYTES < len("".join(quick.rows()))
    assert "Turn 3" not in "".join(slow.rows())
    _rename_all(rows[:1], "After it all")
    slow.await_row("After it all")


def _await_turn(screen: Screen, turn: int) -> None:
    """Until every row has come in that turn's state."""
    screen.await_(lambda _: sum(f"Turn {turn}" in row for row in screen.rows()) >= ROWS)
