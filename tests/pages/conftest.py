from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from actions import planning
from actions.models import Action
from ai.models import Decision
from ai.services import analyse
from awfdrs_site.kernel import work
from incidents.detecting.detection import detect
from incidents.models import Incident
from safety.models import AutomationPolicy
from tenants.models import Workflow
from tests.builders import an_event
from tests.cast import Cast, cast, committed_cast, quick_passwords

__all__ = ["cast", "committed_cast", "quick_passwords"]


@pytest.fixture
def incident_of() -> Callable[..., Incident]:
    """An incident as detection makes it from one failure of the workflow."""

    def make(workflow: Workflow, **event: Any) -> Incident:
        an_event(workflow, **event)
        work.run_due("detect", detect)
        return Incident.objects.filter(workflow=workflow).latest("id")

    return make


@pytest.fixture
def decided(incident_of: Callable[..., Incident]) -> Callable[..., Action]:
    """An incident analysed and planned: what it returns is the action the gate let through."""

    def make(workflow: Workflow, **event: Any) -> Action:
        Workflow.objects.filter(pk=workflow.pk).update(retry_url="http://engine.invalid/retry")
        incident = incident_of(workflow, **event)
        analyse([incident.pk], timezone.now())
        planning.plan([Decision.objects.get(incident=incident).pk], timezone.now())
        return Action.objects.get(incident=incident)

    return make


@pytest.fixture
def waiting(cast: Cast, decided: Callable[..., Action]) -> Action:
    """A retry of Meridian's that waits for a person, for nothing is sure enough there."""
    AutomationPolicy.objects.create(tenant=cast.meridian, confidence_threshold=1.0)
    action = decided(
        cast.capture, vendor="stripe", resource_type="order", resource_id="7", message="Timed out"
    )
    assert action.status == "waiting", action.receipt
    return action
