"""Events become incidents: grouped, one open a signature, resolved by success [I1 I2 I7]."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from awfdrs_site.kernel import work
from awfdrs_site.kernel.models import AuditEntry, Work
from incidents.detecting.detection import detect
from incidents.models import Incident, IncidentEvent, TimelineEntry
from incidents.states import IncidentStatus
from ingestion.models import Event
from tests.builders import a_workflow, an_event
from tests.threads import at_once

pytestmark = pytest.mark.django_db


def run_detect() -> int:
    return work.run_due("detect", detect)


def test_it_opens_one_incident_for_one_failure() -> None:
    """A failure opens an incident with its number, title, timeline, audit trail and next work."""
    workflow = a_workflow(name="payments.capture")
    event = an_event(workflow, message="Gateway timeout after 30 s", vendor="stripe")
    assert run_detect() == 1
    incident = Incident.objects.get()
    assert (incident.number, incident.event_count, incident.status) == (1, 1, "new")
    assert incident.title == "Gateway timeout after 30 s"
    assert incident.vendor == "stripe"
    assert incident.correlation_id == event.correlation_id
    assert [entry.kind for entry in incident.timeline.all()] == ["opened"]
    assert list(Work.objects.values_list("stage", "subject_id")) == [("analyse", incident.pk)]


def test_it_groups_by_signature_and_counts() -> None:
    """Same code and workflow: one incident; another code or workflow: another."""
    one, two = a_workflow(), None
    two = a_workflow(one.tenant)
    for _ in range(3):
        an_event(one)
    an_event(one, error_code="card_declined")
    an_event(two)
    run_detect()
    counts = Incident.objects.order_by("number").values_list("number", "event_count")
    assert sorted(count for _, count in counts) == [1, 1, 3]
    assert [number for number, _ in counts] == [1, 2, 3]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"error_code": "PaymentTimeout"}, {"error_code": "payment-timeout"}, True),
        (
            {"error_code": "", "message": "order 4711 not found in 30 ms"},
            {"error_code": "", "message": "order 9 not found in 1200 ms"},
            True,
        ),
        (
            {"error_code": "", "message": "disk full"},
            {"error_code": "", "message": "connection refused"},
            False,
        ),
        (
            {"error_code": "a_code", "fingerprint": "mine"},
            {"error_code": "b_code", "fingerprint": "mine"},
            True,
        ),
    ],
)
def test_it_signs_by_fingerprint_code_or_template(first, second, same) -> None:
    """The sender's fingerprint wins; then the normalised code; then the message's template."""
    workflow = a_workflow()
    an_event(workflow, **first)
    an_event(workflow, **second)
    run_detect()
    assert Incident.objects.count() == (1 if same else 2)


def test_a_success_of_the_resource_resolves() -> None:
    """The workflow's own success ends the incident, on the timeline and in the audit log."""
    workflow = a_workflow()
    an_event(workflow, resource_type="order", resource_id="7")
    run_detect()
    an_event(workflow, "success", resource_type="order", resource_id="8")
    run_detect()
    assert Incident.objects.get().status == IncidentStatus.NEW
    an_event(workflow, "success", resource_type="order", resource_id="7")
    run_detect()
    incident = Incident.objects.get()
    assert incident.status == IncidentStatus.RESOLVED
    assert incident.resolved_at is not None
    assert incident.timeline.order_by("-id")[0].kind == "resolved"
    assert AuditEntry.objects.filter(subject_id=str(incident.pk), after="resolved").exists()


def test_it_stays_open_while_anything_still_fails() -> None:
    """Two orders failed, one recovered: the incident is not over."""
    workflow = a_workflow()
    for order in "78":
        an_event(workflow, resource_type="order", resource_id=order)
    an_event(workflow, "success", resource_type="order", resource_id="7")
    run_detect()
    incident = Incident.objects.get()
    assert incident.status == IncidentStatus.NEW
    assert [r.resource_id for r in incident.resources.filter(recovered_at=None)] == ["8"]


def test_a_late_event_does_not_reopen() -> None:
    """An event from before the resolution is counted and noted; the incident stays resolved."""
    workflow = a_workflow()
    an_event(workflow)
    run_detect()
    before = timezone.now()
    an_event(workflow, "success")
    run_detect()
    an_event(workflow, occurred_at=before - timedelta(seconds=5))
    run_detect()
    incident = Incident.objects.get()
    assert (incident.status, incident.event_count, incident.reopen_count) == ("resolved", 2, 0)
    assert incident.timeline.filter(kind="late").count() == 1


def test_a_regression_reopens_the_same_incident() -> None:
    """A failure that happened after the resolution reopens the incident; it is analysed anew."""
    workflow = a_workflow()
    an_event(workflow)
    run_detect()
    an_event(workflow, "success")
    run_detect()
    Work.objects.all().delete()
    an_event(workflow)
    run_detect()
    incident = Incident.objects.get()
    assert (incident.status, incident.event_count, incident.reopen_count) == ("new", 2, 1)
    assert Work.objects.filter(stage="analyse", subject_id=incident.pk).count() == 1


def test_a_failure_long_after_the_resolution_is_a_new_incident() -> None:
    workflow = a_workflow()
    an_event(workflow)
    run_detect()
    an_event(workflow, "success")
    run_detect()
    Incident.objects.update(resolved_at=timezone.now() - timedelta(days=2))
    an_event(workflow)
    run_detect()
    assert list(Incident.objects.order_by("number").values_list("number", "status")) == [
        (1, "resolved"),
        (2, "new"),
    ]


def test_an_ignored_incident_swallows_its_failures() -> None:
    """Ignored means: counted, and nothing opens or is analysed."""
    workflow = a_workflow()
    an_event(workflow)
    run_detect()
    Incident.objects.update(status=IncidentStatus.IGNORED)
    Work.objects.all().delete()
    an_event(workflow)
    run_detect()
    incident = Incident.objects.get()
    assert (incident.status, incident.event_count) == ("ignored", 2)
    assert not Work.objects.exists()


def test_tenants_never_share_an_incident() -> None:
    for _ in range(2):
        an_event(a_workflow(name="same.name"), fingerprint="same")
    run_detect()
    assert Incident.objects.values("tenant").distinct().count() == 2


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_open_one_incident_per_signature() -> None:
    """Eight workers, each with its own events of five signatures: five incidents, nothing lost.

    Seen red without the partial unique index `incident_one_open_per_signature` (several open
    incidents for one signature).
    """
    workflow = a_workflow()
    batches = [
        [an_event(workflow, error_code=f"code_{n % 5}").pk for n in range(10)] for _ in range(8)
    ]
    Work.objects.all().delete()
    assert at_once(8, lambda n: detect(batches[n], timezone.now())) == [{}] * 8
    assert Incident.objects.count() == 5
    assert sorted(Incident.objects.values_list("event_count", flat=True)) == [16] * 5
    assert IncidentEvent.objects.count() == Event.objects.count() == 80


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_reopen_once() -> None:
    """Six workers see a regression of one resolved incident: it is reopened once."""
    workflow = a_workflow()
    an_event(workflow)
    run_detect()
    an_event(workflow, "success")
    run_detect()
    ids = [an_event(workflow).pk for _ in range(6)]
    Work.objects.all().delete()
    assert at_once(6, lambda n: detect([ids[n]], timezone.now())) == [{}] * 6
    incident = Incident.objects.get()
    assert (incident.status, incident.event_count, incident.reopen_count) == ("new", 7, 1)


def test_detection_costs_the_same_for_one_and_for_many() -> None:
    """A batch of events of one signature takes a fixed number of statements."""

    def statements(events: int) -> int:
        workflow = a_workflow()
        for _ in range(events):
            an_event(workflow)
        ids = list(Event.objects.filter(workflow=workflow).values_list("pk", flat=True))
        with connection.execute_wrapper(lambda run, *args: (seen.append(1), run(*args))[1]):
            detect(ids, timezone.now())
        count = len(seen)
        seen.clear()
        return count

    seen: list[int] = []
    assert statements(1) == statements(50)


def test_every_step_is_on_the_timeline() -> None:
    workflow = a_workflow()
    an_event(workflow)
    an_event(workflow, "success")
    run_detect()
    an_event(workflow)
    run_detect()
    kinds = list(TimelineEntry.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["opened", "resolved", "reopened"]
