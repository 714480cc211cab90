"""Snoozed: out of sight until a time, until it recovers, or until something else fails [I6]."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.problem import Problem
from incidents import services
from incidents.detecting.detection import detect
from incidents.models import Incident
from incidents.triage import snoozing
from incidents.triage.snoozing import LONGEST, snoozed, until_of
from tenants.models import Workflow
from tests.builders import a_workflow, an_event

pytestmark = pytest.mark.django_db
ALICE = Actor("person", "alice")
HOUR = timedelta(hours=1)


def run_detect() -> None:
    work.run_due("detect", detect)


@pytest.fixture
def workflow() -> Workflow:
    return a_workflow()


@pytest.fixture
def incident(workflow: Workflow) -> Incident:
    """Order 1 fails."""
    an_event(workflow, resource_type="order", resource_id="1")
    run_detect()
    return Incident.objects.get()


def snooze(incident: Incident, until: datetime | None = None, **fields: Any) -> Incident:
    given = {"user": None, "actor": ALICE, "now": timezone.now()} | fields
    return snoozing.snooze(incident=incident, until=until, **given)


def is_snoozed(now: datetime | None = None) -> bool:
    """By the row and by the query alike."""
    incident, now = Incident.objects.get(), now or timezone.now()
    assert Incident.objects.filter(snoozed(now)).exists() == incident.is_snoozed(now)
    return incident.is_snoozed(now)


def test_it_ends_by_the_clock_alone(incident: Incident) -> None:
    """Nothing has to run: two instants say it, to the microsecond."""
    until = timezone.now() + HOUR
    snooze(incident, until, comment="Stripe knows")
    assert is_snoozed(until - timedelta(microseconds=1))
    assert not is_snoozed(until)
    entry = incident.timeline.latest("id")
    assert (entry.kind, entry.data["comment"]) == ("snoozed", "Stripe knows")
    assert AuditEntry.objects.filter(verb="snoozed", comment="Stripe knows").exists()


def test_the_last_word_holds(incident: Incident) -> None:
    snooze(incident, timezone.now() + HOUR)
    snooze(incident)
    assert is_snoozed(timezone.now() + 100 * HOUR)


def test_it_is_woken_by_hand_once(incident: Incident) -> None:
    snooze(incident)
    for _ in range(2):
        snoozing.wake(incident=incident, actor=ALICE, now=timezone.now())
    assert not is_snoozed()
    assert incident.timeline.filter(kind="woken").count() == 1


@pytest.mark.parametrize(
    ("resource", "wakes"),
    [
        ({"resource_type": "order", "resource_id": "2"}, "Woken: order 2 fails too"),
        ({"resource_type": "order", "resource_id": "1"}, ""),
        ({}, "Woken: it failed again"),
    ],
)
def test_a_new_member_wakes_it(
    workflow: Workflow, incident: Incident, resource: dict[str, str], wakes: str
) -> None:
    """Not the same order failing once more: that is what was snoozed. What names nothing is new.

    Seen red without `rouse_for_news` in `detection._absorb_into_open`.
    """
    snooze(incident)
    an_event(workflow, **resource)
    run_detect()
    assert is_snoozed() == (not wakes)
    told = incident.timeline.filter(kind="woken").values_list("text", flat=True)
    assert list(told) == ([wakes] if wakes else [])


def test_what_came_in_before_does_not_wake_it(workflow: Workflow, incident: Incident) -> None:
    """Snoozed while it waited to be handled."""
    an_event(workflow, resource_id="2", received_at=timezone.now() - timedelta(seconds=1))
    snooze(incident)
    run_detect()
    assert is_snoozed()


def test_what_had_recovered_and_fails_again_wakes_it(
    workflow: Workflow, incident: Incident
) -> None:
    an_event(workflow, resource_type="order", resource_id="2")
    an_event(workflow, "success", resource_type="order", resource_id="2")
    run_detect()
    snooze(incident)
    an_event(workflow, resource_type="order", resource_id="2")
    run_detect()
    assert not is_snoozed()


def test_its_recovery_ends_it(workflow: Workflow, incident: Incident) -> None:
    """And the regression after that is not snoozed. Seen red without `AWAKE` in `services.move`."""
    snooze(incident)
    an_event(workflow, "success", resource_type="order", resource_id="1")
    run_detect()
    assert Incident.objects.get().status == "resolved"
    assert not is_snoozed()
    an_event(workflow, resource_type="order", resource_id="1")
    run_detect()
    assert Incident.objects.get().status == "new"
    assert not is_snoozed()


@pytest.mark.parametrize("verb", ["resolve", "ignore"])
def test_closing_ends_it_and_what_is_closed_is_not_snoozed(incident: Incident, verb: str) -> None:
    snooze(incident)
    getattr(services, verb)(incident=incident, actor=ALICE, now=timezone.now(), comment="x")
    assert not is_snoozed()
    with pytest.raises(Problem) as refused:
        snooze(incident)
    assert (refused.value.status, refused.value.code) == (409, "invalid_transition")


def test_automation_does_not_end_it(incident: Incident) -> None:
    """Its steps of the life cycle are no news."""
    snooze(incident)
    for to in ("analyzing", "actioned"):
        services.move(Incident.objects.get(), to, actor=ALICE, now=timezone.now())
    assert is_snoozed()


@pytest.mark.parametrize("after", [timedelta(0), -HOUR, LONGEST + timedelta(seconds=1)])
def test_it_takes_a_time_within_thirty_days(incident: Incident, after: timedelta) -> None:
    now = timezone.now()
    with pytest.raises(Problem) as refused:
        snooze(incident, now + after, now=now)
    assert refused.value.errors[0].field == "until"
    assert not is_snoozed()


def test_the_database_holds_it_to_open_incidents(incident: Incident) -> None:
    """Seen red without the constraint `incident_snoozed_is_open`."""
    now, rows = timezone.now(), Incident.objects.all()
    for wrong in (
        {"status": "ignored", "snoozed_at": now},
        {"snoozed_at": None, "snoozed_until": now},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**wrong)


@pytest.mark.parametrize(
    ("now", "zone", "nine"),
    [
        ("2026-03-02T12:00", "UTC", "2026-03-03T09:00"),
        ("2026-03-02T23:30", "Europe/Berlin", "2026-03-04T08:00"),
        ("2026-03-02T03:00", "America/New_York", "2026-03-02T14:00"),
        # The night in between the clock goes forward.
        ("2026-03-28T12:00", "Europe/Berlin", "2026-03-29T07:00"),
    ],
)
def test_tomorrow_is_the_readers_tomorrow(now: str, zone: str, nine: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    wanted = datetime.fromisoformat(nine).replace(tzinfo=UTC)
    assert until_of("tomorrow", ZoneInfo(zone), at) == wanted


def test_it_offers_spans_and_refuses_others() -> None:
    now = timezone.now()
    assert until_of("30m", ZoneInfo("UTC"), now) == now + timedelta(minutes=30)
    assert until_of("recovery", ZoneInfo("UTC"), now) is None
    with pytest.raises(Problem):
        until_of("", ZoneInfo("UTC"), now)
