from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from actions import planning
from actions.escalation import dispatch
from actions.models import Action, Recovery
from actions.plans import services as recoveries
from actions.plans.templates import save_plan
from ai.models import Decision
from awfdrs_site.kernel import work
from incidents.detecting.detection import detect
from incidents.models import Incident
from incidents.states import IncidentStatus
from tenants.models import Workflow
from tests.actions.driving import ANNA, Begin
from tests.actions.receivers import Webhook, a_webhook
from tests.actions.target import Target, a_target
from tests.builders import a_workflow, an_event, trust

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtMTIzNA=="
AT_ONCE = {
    "policy": "test",
    "kind": "fixed",
    "max_retries": 3,
    "initial_delay_seconds": 0.0,
    "max_delay_seconds": 0.0,
    "multiplier": 1.0,
    "jitter_ratio": 0.0,
}


@pytest.fixture
def target() -> Iterator[Target]:
    with a_target() as target:
        yield target


@pytest.fixture
def workflow(target: Target, db: None) -> Workflow:
    return a_workflow(name="payments.capture", retry_url=target.url, retry_secret=SECRET)


def an_incident(workflow: Workflow, **event: Any) -> Incident:
    """An incident with one failing order, as detection makes it, ready to be decided on."""
    fields = {"resource_type": "order", "resource_id": "7"} | event
    an_event(workflow, **fields)
    work.run_due("detect", detect)
    incident = Incident.objects.latest("opened_at")
    incident.status = IncidentStatus.ANALYZING
    incident.save()
    return incident


def a_decision(incident: Incident, **fields: Any) -> Decision:
    """A stored decision to retry at once, sure enough to run by itself; not yet planned."""
    return Decision.objects.create(
        **{
            "tenant": incident.tenant,
            "incident": incident,
            "type": "retry",
            "category": "transient_timeout",
            "severity": "high",
            "confidence": 0.93,
            "confidence_parts": {},
            "hypotheses": [],
            "similar": [],
            "reasoning": "It is a known transient failure.",
            "recommended_action": "Retry it.",
            "parameters": AT_ONCE,
            "model": "local-1",
            "inputs": {},
            "created_at": timezone.now(),
        }
        | fields
    )


@pytest.fixture
def planned(workflow: Workflow) -> Callable[..., Action]:
    """Plan a decision on a new incident (orders 7, 8, …); what is given goes into the decision."""
    orders = itertools.count(7)

    def plan(**fields: Any) -> Action:
        order = next(orders)
        incident = an_incident(workflow, resource_id=str(order), error_code=f"code_{order}")
        planning.plan([a_decision(incident, **fields).pk], timezone.now())
        return Action.objects.get(incident=incident, kind="retry")

    return plan


@pytest.fixture
def begin(workflow: Workflow) -> Begin:
    """A recovery of a new incident under the plan whose steps are given, one a line."""

    def start(*steps: str, verify: str = "", **event: Any) -> Recovery:
        source = "name: mend\nsteps:\n" + "".join(f"  - {{{step}}}\n" for step in steps)
        source += f"verify: {{{verify}}}\n" if verify else ""
        now = timezone.now()
        template = save_plan(tenant=None, source=source, actor=ANNA, now=now)
        incident = an_incident(workflow, **event)
        trust(incident, "plan:mend")
        found = a_decision(incident, confidence=0.97)
        return recoveries.begin(incident, decision=found, template=template, now=now)

    return start


@pytest.fixture
def webhook(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """What channels call. The machine may be busy: a call has nearly its whole lease."""
    settings.CHANNEL_ALLOWED_HOSTS = ("127.0.0.1",)
    monkeypatch.setattr(dispatch, "DEADLINE_SECONDS", 28)
    with a_webhook() as webhook:
        yield webhook
