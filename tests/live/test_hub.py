"""What changed reaches every page that follows it, and no other: real commits, real Redis."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from awfdrs_site.kernel import live
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.redis_client import redis_client
from awfdrs_site.live.hub import WINDOW_SECONDS, frames_of
from awfdrs_site.live.outbox import Outbox
from awfdrs_site.live.page import OpenPage
from incidents import announce
from incidents.models import Incident
from tests.api.conftest import an_incident
from tests.cast import Cast
from tests.live.screens import Screens, is_lost, missed

FOUR_WRITERS = 4
CHANGES_EACH = 25


def _rename(incident: Incident, title: str) -> None:
    with transaction.atomic():
        Incident.objects.filter(pk=incident.pk).update(title=title)
        announce.changed(incident)


def test_it_sends_the_row_as_it_is_and_a_feed_line(committed_cast: Cast, screens: Screens) -> None:
    """A row of the list, a line of the feed, and the word for what the page fetches by itself."""
    incident = an_incident(committed_cast.capture)
    alice = screens.open("alice", "incidents", "feed", "overview", f"incident:{incident.pk}")
    with transaction.atomic():
        Incident.objects.filter(pk=incident.pk).update(title="Renamed meanwhile")
        announce.changed(incident)
        announce.note(incident, "comment", "A line", actor=MACHINE, now=timezone.now())
    alice.await_row("Renamed meanwhile")
    alice.await_row("A line", "feed")
    alice.await_row("", "overview")
    alice.await_row("", f"incident:{incident.pk}")


def test_a_storm_on_one_row_is_four_pushes_a_second_and_ends_with_the_last_state(
    committed_cast: Cast, screens: Screens
) -> None:
    """Four writers change one incident a hundred times.

    That a window is kept, and ends with a push, is seen red in `tests/pure/test_live_windows.py`:
    here a busy machine may be too slow to push too often.
    """
    incident = an_incident(committed_cast.capture)
    alice = screens.open("alice", "incidents")
    began = time.monotonic()

    def write(number: int) -> None:
        for turn in range(CHANGES_EACH):
            _rename(incident, f"Turn {turn} of {number}")
        connections.close_all()

    writers = [threading.Thread(target=write, args=(n,)) for n in range(FOUR_WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    _rename(incident, "The very last")
    alice.await_row("The very last")
    seconds = time.monotonic() - began
    pushed = alice.rows()
    assert len(pushed) <= 2 + seconds / WINDOW_SECONDS
    assert "The very last" in pushed[-1]


def test_a_storm_while_pages_are_stalled_is_joined(
    committed_cast: Cast, screens: Screens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five hundred messages about one row while the event loop stands still, and no window that
    would hide them: one push is under way, and one more shows the last state.

    Seen red with one message taken for each push, and without waiting until a push was taken.
    """
    incident, other = (an_incident(committed_cast.capture) for _ in range(2))
    alice = screens.open("alice", "incidents")
    monkeypatch.setattr(screens.hub._windows, "seconds", 0.0)
    goes_on = threading.Event()
    screens.do(goes_on.wait)
    tell = redis_client().register_script(live._TELL)
    hint = json.dumps([[str(incident.tenant_id), "incidents", str(incident.pk)]])
    for turn in range(500):
        Incident.objects.filter(pk=incident.pk).update(title=f"Turn {turn} of 500")
        tell(keys=[live.COUNTER], args=[live.CHANNEL, hint])
    goes_on.set()
    _rename(other, "After the storm")
    alice.await_row("After the storm")
    pushed = [row for row in alice.rows() if str(incident.pk) in row]
    assert len(pushed) <= 2
    assert "Turn 499 of 500" in pushed[-1]


def test_it_tells_nothing_of_another_tenant(committed_cast: Cast, screens: Screens) -> None:
    """Not a row, not a word that something changed there, not even under its own name.

    Seen red with rows read without the tenant.
    """
    theirs = an_incident(committed_cast.capture, title="Of Meridian")
    own = an_incident(committed_cast.routing, title="Of Northwind")
    mallory = screens.open("mallory", "incidents", "overview", f"incident:{theirs.pk}")
    _rename(theirs, "Secret of Meridian")
    with transaction.atomic():
        live.publish(committed_cast.northwind.pk, "incidents", theirs.pk)
    _rename(own, "Renamed in Northwind")
    mallory.await_row("Renamed in Northwind")
    assert "Meridian" not in str(mallory.frames)
    assert not mallory.rows(f"incident:{theirs.pk}")


def test_it_reads_renders_and_encodes_once(
    committed_cast: Cast, screens: Screens, django_assert_num_queries: Any
) -> None:
    """Of twenty pages each with the same topics gets the very same text; one query for all."""
    incident = an_incident(committed_cast.capture)
    identity = screens.open("alice").page.identity
    pages = [OpenPage(identity, "key", print, loop=screens.loop) for _ in range(20)]
    for page in pages[:10]:
        page.topics = frozenset({"incidents"})
    for page in pages[10:]:
        page.topics = frozenset({"incidents", "feed"})
    with django_assert_num_queries(1):
        frames = frames_of(pages, {"incidents": {str(incident.pk): None}})
    assert len(frames) == 20
    assert len({id(frame) for _, frame in frames}) == 1


def test_a_page_that_takes_nothing_holds_up_nobody(committed_cast: Cast, screens: Screens) -> None:
    """It is sent what fits, then nothing; once it has taken that, that it missed something.

    Seen red without the bound, which sent it everything.
    """
    incident = an_incident(committed_cast.capture)
    quick = screens.open("alice", "incidents")
    slow = screens.open("vera", "incidents", takes=False)
    slow.page.outbox = Outbox(most=5_000)
    for turn in range(4):
        _rename(incident, f"Turn {turn}")
        quick.await_row(f"Turn {turn}")
    assert slow.page.outbox.is_behind
    assert 0 < len(slow.rows()) < 4
    for _ in range(len(slow.frames)):
        screens.took_one(slow)
    slow.await_(missed)


def test_a_message_that_was_lost_is_noticed(committed_cast: Cast, screens: Screens) -> None:
    """The numbers have a hole: every page is told that it missed something, whosoever it was.

    Seen red without the comparison of numbers.
    """
    incident = an_incident(committed_cast.capture)
    alice = screens.open("alice", "incidents")
    mallory = screens.open("mallory", "incidents")
    _rename(incident, "Before")
    alice.await_row("Before")
    assert not any(missed(frame) for frame in mallory.frames[1:])
    redis_client().incr(live.COUNTER)
    _rename(incident, "After")
    for screen in (alice, mallory):
        screen.await_(missed, since=1)


def test_it_hears_again_after_its_link_was_cut(committed_cast: Cast, screens: Screens) -> None:
    """Pages are told that they are not live, and later that they missed something.

    Seen red without the word that the link is lost.
    """
    incident = an_incident(committed_cast.capture)
    alice = screens.open("alice", "incidents")
    redis_client().client_kill_filter(_type="pubsub")
    alice.await_(is_lost)
    alice.await_(missed, since=alice.frames.index({"live": False}))
    _rename(incident, "After the cut")
    alice.await_row("After the cut")


def test_pages_are_told_while_redis_hangs(committed_cast: Cast, screens: Screens) -> None:
    """Lost, then live again with something missed.

    Seen red without the pings of the link.
    """
    alice = screens.open("alice", "incidents")
    redis_client().client_pause(6_000)
    alice.await_(is_lost)
    alice.await_(missed, since=alice.frames.index({"live": False}))


def test_a_change_that_redis_did_not_take_is_told_later(
    committed_cast: Cast, screens: Screens
) -> None:
    """The pages hear all the while, and only what is written waits.

    Seen red without keeping what Redis did not take.
    """
    incident = an_incident(committed_cast.capture)
    alice = screens.open("alice", "incidents")
    redis_client().client_pause(2_000, all=False)
    _rename(incident, "While it took nothing")
    alice.await_row("While it took nothing")
    assert not any(is_lost(frame) for frame in alice.frames)


def test_a_page_learns_what_changed_while_it_loaded(committed_cast: Cast, screens: Screens) -> None:
    """Made before a change and subscribed after it: it missed that; made after it: it did not.

    Seen red without the page's age.
    """
    incident = an_incident(committed_cast.capture)
    first = screens.open("alice", "incidents")
    _rename(incident, "While others load")
    first.await_row("While others load")
    early = screens.open("alice", "incidents", age=30.0)
    assert early.frames[0] == {"live": True, "missed": True}
    late = screens.open("alice", "incidents", age=0.0)
    assert late.frames[0] == {"live": True}
