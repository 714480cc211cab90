from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone

from actions import asking, sending
from actions.models import Action, Connector, Delivery
from incidents.models import Incident
from tenants.models import Tenant
from tests.actions.conftest import an_incident
from tests.builders import a_workflow
from tests.connectors.servers import Server, a_server

WHSEC = "whsec_" + "Y2FuYXJ5LW9mLXRoZS1jb25uZWN0b3ItMDAwMQ=="


def a_connector(tenant: Tenant, kind: str = "http", **fields: Any) -> Connector:
    """A connector that is switched to real calls; what is not said is that of its kind."""
    secret = fields.pop("secret", WHSEC)
    given = {"name": f"my-{kind}", "dry_run": False} | fields
    connector = Connector(tenant=tenant, kind=kind, **given)
    connector.keep_secret(secret)
    connector.save()
    return connector


@pytest.fixture
def incident(db: None) -> Incident:
    return an_incident(a_workflow(name="payments.capture"))


@pytest.fixture
def service() -> Iterator[Server]:
    with a_server(lambda call: (200, {"ok": True})) as server:
        yield server


def the_log() -> list[tuple[str, int, str]]:
    """What the deliveries say, in order: method, status, certainty."""
    rows = Delivery.objects.order_by("id")
    return [(row.method, row.status, row.certainty) for row in rows]


Perform = Callable[..., Action]


@pytest.fixture
def perform(incident: Incident) -> Perform:
    """Send an action of that kind that a person wants, as the stage does."""

    def send(kind: str, **parameters: Any) -> Action:
        now = timezone.now()
        action = Action.objects.create(
            tenant=incident.tenant, incident=incident, kind=kind, parameters=parameters,
            created_at=now, due_at=now, decided_by_name="anna", requested_by="anna",
        )  # fmt: skip
        sending.run_due()
        action.refresh_from_db()
        return action

    return send


def ask(action: Action) -> Action:
    """Ask the target about the action, without waiting for its turn."""
    Action.objects.filter(pk=action.pk).update(due_at=timezone.now())
    asking.run_due(timezone.now())
    action.refresh_from_db()
    return action
