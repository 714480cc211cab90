"""Incidents handled in one batch are audited each under its own correlation id [E6]."""

from __future__ import annotations

import pytest
from django.utils import timezone

from actions import planning, services, verification
from actions.models import Action
from ai.services import analyse
from awfdrs_site.kernel import work
from awfdrs_site.kernel.models import AuditEntry, Work
from incidents.detecting.detection import detect
from incidents.models import Incident
from tenants.models import Workflow
from tests.builders import an_event

pytestmark = pytest.mark.django_db


def test_a_batch_of_incidents_keeps_their_ids_apart(workflow: Workflow) -> None:
    """Two unknown failures at once: analysed, planned, expired, closed in batches of two."""
    for code in ("one", "two"):
        an_event(workflow, error_code="", message=f"{code} gave way")
    work.run_due("detect", detect)
    work.run_due("analyse", analyse)
    work.run_due("plan", planning.plan)
    Action.objects.filter(status="waiting").update(expires_at=timezone.now())
    Work.objects.filter(stage="expire").update(due_at=timezone.now())
    work.run_due("expire", services.expire)
    Incident.objects.update(status="ignored")
    work.enqueue(
        "verify", workflow.tenant_id, Incident.objects.values_list("pk", flat=True), timezone.now()
    )
    work.run_due("verify", verification.verify)
    incidents = Incident.objects.all()
    assert len({incident.correlation_id for incident in incidents}) == 2
    for incident in incidents:
        subjects = [incident.pk, *incident.actions.values_list("pk", flat=True)]
        entries = AuditEntry.objects.filter(subject_id__in=map(str, subjects))
        ids = set(entries.values_list("correlation_id", flat=True))
        assert ids == {incident.correlation_id}
