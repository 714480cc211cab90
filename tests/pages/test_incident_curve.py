"""An incident's failures over time on its page: points, flags, and the sentence [U2]."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from actions.incident_curve import curve_chart, finding
from actions.models import Action
from awfdrs_site.kernel.actor import Actor
from incidents import services
from incidents.detail.trends import Curve
from incidents.models import Incident
from tests.builders import an_event
from tests.cast import Cast
from tests.pages.looks import text_of
from tests.pages.rows import an_incident_row

START = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def curve(values: list[int], step: timedelta) -> Curve:
    return Curve(values, START, START + step * len(values), step)


@pytest.mark.parametrize(
    ("of", "zone", "sentence"),
    [
        (
            curve([0, 0], timedelta(minutes=1)),
            UTC,
            "No failure from 00:30:00 UTC to 00:32:00 UTC.",
        ),
        (
            curve([1], timedelta(seconds=8)),
            UTC,
            "1 failure from 00:30:00 UTC to 00:30:08 UTC; most, 1 in 8 s, from 00:30:00 UTC.",
        ),
        # The hour that is there twice is told apart by its zone.
        (
            curve([2, 1200, 3], timedelta(minutes=30)),
            BERLIN,
            (
                "1,205 failures from 02:30:00 CEST to 03:00:00 CET; most, 1,200 in 30 m, from "
                "02:00:00 CET."
            ),
        ),
        (
            curve([5, 1], timedelta(hours=12)),
            UTC,
            (
                "6 failures from 25 Oct 00:30:00 UTC to 00:30:00 UTC; most, 5 in 12 h, from 25 Oct "
                "00:30:00 UTC."
            ),
        ),
    ],
)
def test_it_says_the_finding(of: Curve, zone: Any, sentence: str) -> None:
    assert finding(of, zone) == sentence


def test_it_has_words_for_what_is_too_short_to_draw() -> None:
    incident = Incident(event_count=1, last_seen_at=START)
    one = curve_chart(incident, None, [], UTC)
    assert (one["finding"], one["points"]) == ("1 failure, at 00:30:00 UTC.", [])
    incident.event_count = 3
    said = curve_chart(incident, None, [], UTC)["finding"]
    assert said == "3 failures within a second, at 00:30:00 UTC."


def test_it_marks_only_what_lies_on_the_axis() -> None:
    marks = [{"at": START + timedelta(minutes=m), "label": "x", "tone": "red"} for m in (-1, 1, 9)]
    chart = curve_chart(Incident(), curve([1, 2], timedelta(minutes=1)), marks, UTC)
    assert chart["markers"] == marks[1:2]
    assert [point["failed"] for point in chart["points"]] == [1, 2]
    assert chart["until"] == START + timedelta(minutes=2)


def test_it_draws_the_story_of_an_incident(cast: Cast) -> None:
    """Opened, decided, tried, come back: flags in order; the table has the drawing's figures.

    Seen red without the attempts.
    """
    now = timezone.now()
    opened = now - timedelta(minutes=30)
    incident = an_incident_row(
        cast.capture, first_seen_at=opened, opened_at=opened, last_seen_at=now, event_count=5
    )
    for minutes in (30, 20, 20, 20, 1):
        event = an_event(cast.capture, received_at=now - timedelta(minutes=minutes))
        incident.members.create(event=event)
    for minutes, status in ((25, "failed"), (10, "succeeded"), (2, "verifying")):
        at = now - timedelta(minutes=minutes)
        Action.objects.create(
            tenant=cast.meridian, incident=incident, kind="retry", status=status, attempt=minutes,
            created_at=at, due_at=at, sent_at=at,
        )  # fmt: skip
    alice = Actor("person", "alice")
    services.resolve(incident=incident, actor=alice, now=now - timedelta(minutes=8), comment="x")
    services.reopen(incident=incident, actor=alice, now=now - timedelta(minutes=5))
    page = cast.client_as("alice").get(f"/incidents/{incident.pk}/failures")
    chart = page.context["curve"]
    assert [mark["label"] for mark in chart["markers"]] == [
        "Attempt 25 failed",
        "Attempt 10 worked",
        "Resolved",
        "Opened again",
        "Attempt 2",
    ]
    assert sum(point["failed"] for point in chart["points"]) == 5
    assert "5 failures from" in chart["finding"]
    assert page.content.decode().count("data-chart-first") == 1
    assert "Opened again" in text_of(page)


def test_it_has_no_curve_for_one_failure(cast: Cast) -> None:
    """The sentence stands in its place, also where the table would be."""
    now = timezone.now()
    incident = an_incident_row(
        cast.capture, first_seen_at=now, opened_at=now, last_seen_at=now, resolved_at=now
    )
    page = cast.client_as("vera").get(f"/incidents/{incident.pk}/failures")
    assert page.context["curve"]["points"] == []
    assert text_of(page).count(page.context["curve"]["finding"]) >= 2
