"""Incidents that belong to one picture, from stored events [I4]."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from awfdrs_site.kernel import work
from incidents.detail.related import related_to
from incidents.detecting.detection import detect
from incidents.models import Incident, IncidentEvent
from tenants.models import Tenant, Workflow
from tests.builders import a_tenant, a_workflow, an_event

pytestmark = pytest.mark.django_db
NOW = timezone.now() - timedelta(hours=3)


def fails(workflow: Workflow, seconds: int = 0, **fields: Any) -> Incident:
    event = an_event(workflow, received_at=NOW + timedelta(seconds=seconds), **fields)
    work.run_due("detect", detect)
    return IncidentEvent.objects.get(event=event).incident


@pytest.fixture
def tenant() -> Tenant:
    return a_tenant()


def found(incident: Incident) -> list[tuple[str, Incident]]:
    related = related_to(incident.tenant, incident, NOW + timedelta(hours=2))
    return [(relation.kind, other) for relation, other in related.rows]


def test_a_vendor_that_fails_elsewhere_is_found(tenant: Tenant) -> None:
    """By its own tenant's incidents alone, whatever the other has."""
    pay = fails(a_workflow(tenant, name="pay"), vendor="stripe")
    stock = fails(a_workflow(tenant, name="stock"), 42, vendor="stripe")
    fails(a_workflow(tenant), 42, vendor="hubspot")
    fails(a_workflow(), 42, vendor="stripe", correlation_id="run-1")
    assert found(pay) == [("cascade", stock)]
    assert found(stock) == [("cascade", pay)]
    [relation] = [r for r, _ in related_to(tenant, pay, NOW).rows]
    assert relation.reason == "stock began to fail 42 s after pay; both call stripe"


def test_one_run_through_several_workflows_is_found(tenant: Tenant) -> None:
    """By any of its events, not only the one that opened it."""
    pay = fails(a_workflow(tenant), correlation_id="run-1")
    other = a_workflow(tenant)
    sync = fails(other, 3_600, correlation_id="run-2")
    fails(other, 3_601, correlation_id="run-1")
    assert found(pay) == [("correlation", sync)]


def test_nothing_is_related_to_what_failed_alone(tenant: Tenant) -> None:
    alone = fails(a_workflow(tenant), correlation_id="")
    fails(a_workflow(tenant), correlation_id="")
    related = related_to(tenant, alone, NOW)
    assert (related.finding, related.rows, related.picture) == ("", [], None)


def test_it_asks_no_more_however_much_there_is(tenant: Tenant) -> None:
    """Four queries, each with a limit or a window."""
    pay = fails(a_workflow(tenant), vendor="stripe", correlation_id="run-1")
    for n in range(12):
        for _ in range(3):
            fails(a_workflow(tenant), n, vendor="stripe", correlation_id="run-1")
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert len(found(pay)) == 8
    assert len(asked) <= 5
