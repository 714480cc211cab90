"""How fast an incident fails: counts of its members, whatever becomes of them."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from incidents.detail import trends
from incidents.models import Incident, IncidentEvent, MemberCount
from ingestion.models import Event
from tenants.models import Workflow
from tests.builders import a_workflow, an_event
from tests.pages.rows import an_incident_row

MINUTE = timedelta(minutes=1)


@pytest.fixture
def workflow(db: None) -> Workflow:
    return a_workflow()


def plainly() -> Counter[tuple[object, datetime]]:
    """The members of each incident and minute."""
    rows = IncidentEvent.objects.values_list("incident_id", "event__received_at")
    return Counter((pk, at.replace(second=0, microsecond=0)) for pk, at in rows)


def kept() -> Counter[tuple[object, datetime]]:
    rows = MemberCount.objects.values_list("incident_id", "at", "events")
    return Counter({(pk, at): events for pk, at, events in rows})


@pytest.mark.parametrize("seed", range(5))
def test_it_counts_what_joins_moves_and_leaves(workflow: Workflow, seed: int) -> None:
    """Members are added, moved to another incident (a merge) and removed, in any order. Red
    without the trigger of UPDATE or of DELETE."""
    chance, now = random.Random(seed), timezone.now()
    incidents = [an_incident_row(workflow) for _ in range(3)]
    for _ in range(40):
        one, other = chance.sample(incidents, 2)
        roll = chance.random()
        if roll < 0.6:
            at = now - chance.choice([0, 1, 2, 90]) * MINUTE
            events = [an_event(workflow, received_at=at) for _ in range(2)]
            IncidentEvent.objects.bulk_create(IncidentEvent(incident=one, event=e) for e in events)
        elif roll < 0.8:
            IncidentEvent.objects.filter(incident=one).update(incident=other)
        else:
            IncidentEvent.objects.filter(incident=one).delete()
        assert kept() == plainly()
    MemberCount.objects.update(events=99)
    trends.recount()
    assert kept() == plainly()


def test_it_keeps_no_count_of_retained_events(workflow: Workflow) -> None:
    """Retention takes events, and their places in incidents with them."""
    incident, event = an_incident_row(workflow), an_event(workflow)
    IncidentEvent.objects.create(incident=incident, event=event)
    assert MemberCount.objects.get().events == 1
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL awfdrs.retention = 'on'")
    Event.objects.all().delete()
    assert not MemberCount.objects.exists()


def of_many(workflow: Workflow, *minutes: int) -> Incident:
    now = timezone.now()
    incident = an_incident_row(
        workflow, event_count=trends.FEW + 1, first_seen_at=now - max(minutes) * MINUTE
    )
    for ago in minutes:
        event = an_event(workflow, received_at=now - ago * MINUTE)
        IncidentEvent.objects.create(incident=incident, event=event)
    return incident


@pytest.mark.parametrize("span", [0, 1, 30, 41, 400, 2000])
def test_it_draws_many_by_whole_minutes(workflow: Workflow, span: int) -> None:
    """At most 40 steps and a day; no event of it is left out, and no member is read."""
    incident = of_many(workflow, 0, span, span // 2)
    incident.first_seen_at -= timedelta(seconds=2)
    with CaptureQueriesContext(connection) as asked:
        curve = trends.failure_curve(incident, timezone.now())
    assert "incidentevent" not in asked[0]["sql"]
    assert curve is not None
    assert len(curve.values) <= trends.CURVE_STEPS + 1
    assert sum(curve.values) == (3 if span < 1440 else 2)
    assert curve.step % MINUTE == timedelta()


def test_a_row_costs_the_same_however_many_failed(workflow: Workflow) -> None:
    """Seen red with a trend that reads members: it would look at as many rows as there are."""
    incident = of_many(workflow, *[3] * 60)
    with CaptureQueriesContext(connection) as asked:
        trend = trends.recent_trends([incident.pk], timezone.now())[incident.pk]
    assert sum(trend) == 60
    assert "incidentevent" not in asked[0]["sql"]
