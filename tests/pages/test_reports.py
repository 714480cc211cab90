"""The page Reports, from rows: what ended, what was answered, what breakers kept back [U2]."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from actions.models import Action
from awfdrs_site.kernel.actor import MACHINE, Actor
from incidents import announce, services
from incidents.models import Incident, TimelineKind
from safety import breakers
from safety.models import SavedCalls, Vendor
from tenants.models import Preferences
from tests.builders import an_event
from tests.cast import Cast
from tests.pages.looks import text_of
from tests.pages.rows import an_incident_row

NOW = datetime(2026, 3, 30, 10, 7, 31, tzinfo=UTC)
ALICE = Actor("person", "alice")


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


def report(client: Client, span: str = "24h") -> Any:
    answer = client.get(f"/reports/?span={span}")
    assert answer.status_code == 200
    return answer.context


def resolved(cast: Cast, ago: timedelta, took: timedelta, **fields: Any) -> Incident:
    at = timezone.now() - ago
    return an_incident_row(cast.capture, opened_at=at - took, resolved_at=at, **fields)


def opened(cast: Cast, ago: timedelta = timedelta(hours=1)) -> Incident:
    return an_incident_row(cast.capture, opened_at=timezone.now() - ago)


def a_vendor(cast: Cast, name: str = "stripe") -> Vendor:
    return Vendor.objects.create(tenant=cast.meridian, name=name)


def test_it_says_in_words_that_there_is_nothing(cast: Cast, alice: Client) -> None:
    """Without rows: sentences, dashes, and nothing for a chart to draw."""
    page = alice.get("/reports/")
    text = text_of(page)
    assert "Nothing to recover in the last 24 hours." in text
    assert "Breakers kept no call back in the last 24 hours." in text
    assert page.context["recovery_chart"]["points"] == []
    assert page.context["saved_chart"]["points"] == []


def test_it_agrees_with_the_overview(cast: Cast, alice: Client) -> None:
    """The tiles of the overview, the figures of the report and its steps tell one story.

    Seen red with tiles that count from the first whole step.
    """
    an_event(cast.capture)
    hours = [(0, 2), (1, 4), (5, 60), (23.9, 3), (24.5, 10), (47, 30), (49, 99)]
    for ago, took in hours:
        resolved(cast, timedelta(hours=ago), timedelta(minutes=took))
    resolved(cast, timedelta(hours=2), timedelta(minutes=7), escalated_at=timezone.now())
    kpis, page = alice.get("/").context["kpis"], report(alice)
    ended = page["totals"].ended
    assert (ended.total, ended.alone) == (5, 4)
    assert kpis["auto"]["share"] == ended.share == 80.0
    assert (kpis["auto"]["recovered"], kpis["auto"]["total"]) == (ended.alone, ended.total)
    assert kpis["auto"]["delta"] == page["totals"].share_delta == -20.0
    assert kpis["recover"]["median_seconds"] == ended.median == 240
    assert kpis["recover"]["p90_seconds"] == ended.p90
    assert kpis["recover"]["delta_seconds"] == page["totals"].recover_delta == 240 - 1200
    points = page["recovery_chart"]["points"]
    assert sum(point["ended"] for point in points) == ended.total
    assert sum(point["alone"] for point in points) == ended.alone
    assert "80.0% of 5 incidents" in page["recovery_chart"]["finding"]
    month = report(alice, "30d")
    assert month["totals"].ended.total == 8
    assert sum(point["ended"] for point in month["recovery_chart"]["points"]) == 8


def test_it_measures_one_row(cast: Cast, alice: Client) -> None:
    resolved(cast, timedelta(minutes=1), timedelta(seconds=65))
    page = report(alice, "7d")
    assert page["totals"].ended.median == page["totals"].ended.p90 == 65
    assert page["recovery_chart"]["points"][-1]["recover_words"] == "1 m 5 s"
    html = alice.get("/reports/?span=7d").content.decode()
    assert html.count('<td class="end">1, 100.0%</td>') == 1


def test_it_counts_the_last_opening_of_what_came_back(cast: Cast, alice: Client) -> None:
    """What is open again has not recovered; once it has, from its second opening."""
    now = timezone.now()
    incident = resolved(cast, timedelta(hours=3), timedelta(hours=1))
    services.reopen(incident=incident, actor=ALICE, now=now - timedelta(hours=2))
    totals = report(alice)["totals"]
    assert (totals.ended.total, totals.answered.opened, totals.answered.answered) == (0, 1, 0)
    services.resolve(incident=incident, actor=MACHINE, now=now - timedelta(hours=1), comment="x")
    assert report(alice)["totals"].ended.median == 3600


@pytest.mark.parametrize("who", ["acknowledged", "commented", "sent", "nobody", "machine"])
def test_it_measures_the_time_to_the_first_answer(cast: Cast, alice: Client, who: str) -> None:
    """A person's first deed or the first send, whichever was first; a note of the machine is none.

    Seen red with the send left out.
    """
    incident = opened(cast)
    at = incident.opened_at + timedelta(seconds=30)
    if who == "acknowledged":
        services.acknowledge(incident=incident, user=None, actor=ALICE, now=at)
    if who in ("commented", "machine"):
        actor = ALICE if who == "commented" else MACHINE
        announce.note(incident, TimelineKind.COMMENT, "Odd", actor=actor, now=at)
    if who == "sent":
        Action.objects.create(
            tenant=cast.meridian, incident=incident, kind="retry", status="verifying",
            created_at=at, due_at=at, sent_at=at,
        )  # fmt: skip
    if who != "nobody":
        later = at + timedelta(minutes=5)
        announce.note(incident, TimelineKind.COMMENT, "Late", actor=MACHINE, now=later)
    answered = report(alice)["totals"].answered
    wanted = (1, None) if who in ("nobody", "machine") else (1, 30.0)
    assert (answered.opened, answered.median) == wanted


def test_it_cuts_days_by_the_zone_of_the_person(cast: Cast, alice: Client) -> None:
    """Half past midnight in Berlin is the day before in UTC; the day the clocks changed has 23 h.

    Seen red with steps of UTC.
    """
    Preferences.objects.create(user=cast.people["alice"], time_zone="Europe/Berlin")
    with time_machine.travel(NOW, tick=False):
        resolved(cast, NOW - datetime(2026, 3, 28, 23, 30, tzinfo=UTC), timedelta(minutes=5))
        points = report(cast.client_as("alice"), "7d")["recovery_chart"]["points"]
    hit = next(i for i, point in enumerate(points) if point["ended"])
    assert points[hit]["at"] == datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    assert points[hit + 1]["at"] - points[hit]["at"] == timedelta(hours=23)


@pytest.mark.django_db(transaction=True)
def test_it_charts_what_breakers_kept_back(committed_cast: Cast) -> None:
    """By vendor and time, against the day before; the rows sum up to the vendor's own count.

    Seen red with an upsert that overwrites.
    """
    cast, now = committed_cast, timezone.now()
    stripe, adyen = a_vendor(cast), a_vendor(cast, "adyen")
    for ago, calls in ((0, 1), (0, 2), (3, 4), (30, 5), (60, 9)):
        breakers.count_saved(stripe.pk, now - timedelta(hours=ago), calls)
    breakers.count_saved(adyen.pk, now - timedelta(hours=3), 1)
    other = Vendor.objects.create(tenant=cast.northwind, name="stripe")
    breakers.count_saved(other.pk, now, 50)
    page = report(cast.client_as("alice"))
    assert (page["saved"].total, page["saved"].before) == (8, 5)
    assert [one["name"] for one in page["saved"].series] == ["stripe", "adyen"]
    assert page["saved"].sums == [7, 1]
    assert page["saved"].steps[-1]["total"] >= 3
    assert "8 calls back in the last 24 hours, 3 more" in page["saved_chart"]["finding"]
    stripe.refresh_from_db()
    rows = SavedCalls.objects.filter(vendor=stripe).values_list("calls", flat=True)
    assert stripe.calls_saved == sum(rows) == 21
    assert len(rows) == 4


def test_it_asks_the_database_equally_often_when_busy(cast: Cast, alice: Client) -> None:
    """Five queries beside the shell's, for a month of many rows as for none."""

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert alice.get("/reports/?span=30d").status_code == 200
        tables = ("incidents_incident", "safety_savedcalls")
        asked = [q["sql"] for q in found if "width_bucket" in q["sql"] or "percentile" in q["sql"]]
        assert len(asked) == 5
        assert not any("ingestion_event" in sql for sql in asked)
        assert all(any(table in sql for table in tables) for sql in asked)
        return len(found)

    alice.get("/reports/")
    none = queries()
    for days in range(20):
        resolved(cast, timedelta(days=days), timedelta(minutes=days))
        SavedCalls.objects.create(
            tenant=cast.meridian, vendor=a_vendor(cast, f"v{days}"), at=timezone.now(), calls=3
        )
    assert queries() == none


def test_it_shows_no_other_tenants_figures(cast: Cast, alice: Client) -> None:
    now = timezone.now()
    an_incident_row(cast.routing, opened_at=now - timedelta(hours=1), resolved_at=now)
    vendor = Vendor.objects.create(tenant=cast.northwind, name="fedex")
    SavedCalls.objects.create(tenant=cast.northwind, vendor=vendor, at=now, calls=3)
    page = report(alice)
    assert (page["totals"].ended.total, page["totals"].answered.opened) == (0, 0)
    assert page["saved"].total == 0
    assert "fedex" not in alice.get("/reports/").content.decode()


def test_it_is_led_to_by_the_tiles(cast: Cast, alice: Client) -> None:
    an_event(cast.capture)
    assert alice.get("/").content.decode().count('<a href="/reports/">') == 2
    assert 'href="/reports/?span=7d#saved"' in alice.get("/safety/").content.decode()
    assert report(alice, "9y")["span"].key == "24h"
