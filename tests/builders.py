"""Rows for tests, made the short way; what is not said gets a plain default."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

from django.utils import timezone

from ai.ladder import set_trust
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from incidents.models import GroupingPin, Incident
from ingestion.calls import outcome_of
from ingestion.models import Event
from safety.models import EventKind
from tenants.models import Tenant, Workflow

_count = itertools.count(1)


def a_tenant(**fields: Any) -> Tenant:
    return Tenant.objects.create(**{"name": f"Tenant {next(_count)}"} | fields)


def a_workflow(tenant: Tenant | None = None, **fields: Any) -> Workflow:
    tenant = tenant or a_tenant()
    return Workflow.objects.create(**{"tenant": tenant, "name": f"work.{next(_count)}"} | fields)


def an_event(workflow: Workflow, kind: str = "failure", **fields: Any) -> Event:
    """A stored event, with the work row that ingestion writes beside it."""
    now: datetime = fields.pop("received_at", timezone.now())
    code, message = fields.pop("error_code", "payment_timeout"), fields.pop("message", "Timed out")
    if kind != "failure":
        code = message = ""
    event = Event(
        **{
            "tenant": workflow.tenant,
            "workflow": workflow,
            "event_type": {"failure": "work.failed", "success": "work.succeeded"}.get(kind, "work"),
            "kind": kind,
            "payload": {"error_code": code, "error_message": message},
            "idempotency_key": f"key-{next(_count)}",
            "content_hash": b"0" * 32,
            "occurred_at": fields.pop("occurred_at", now),
            "received_at": now,
            "schema_version": "1.0.0",
            "correlation_id": f"c-{next(_count)}",
            "error_code": code,
        }
        | fields
    )
    event.vendor_outcome = outcome_of(
        event.tenant_id,
        EventKind(kind),
        vendor=event.vendor,
        error_code=event.error_code,
        error_message=event.error_message,
    )
    event.save(force_insert=True)
    work.enqueue("detect", workflow.tenant_id, [event.pk], now)
    return event


def a_pin(tenant: Tenant, **fields: Any) -> GroupingPin:
    """Of a signature that nothing has."""
    return GroupingPin.objects.create(
        **{
            "tenant": tenant,
            "root": "0" * 32,
            "splits": "0" * 32,
            "trait": "vendor",
            "value": "stripe",
            "shown": "stripe",
            "signature": "1" * 32,
            "text": "timeout, vendor: stripe",
            "created_by": "alice",
            "created_at": timezone.now(),
        }
        | fields
    )


def trust(incident: Incident, action: str = "retry", rung: str = "automatic") -> None:
    """Somebody has put the action on the rung for the incident's signature, just now."""
    set_trust(
        tenant=incident.tenant,
        signature=incident.signature,
        action=action,
        rung=rung,
        reason="It may.",
        actor=Actor("person", "anna"),
        now=timezone.now(),
    )
