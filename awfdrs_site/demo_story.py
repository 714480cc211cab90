"""The demo's last five hours: events through the real path, stage by stage, at their own times.

Nothing is sent from here: retries stay planned (the workers send them when they start), and what
recovers does so because the workflow succeeded again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.contrib.auth.models import User

from actions import planning, sending, verification
from actions.models import Action, ActionKind
from actions.states import ActionStatus
from ai.services import analyse
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.models import Work
from awfdrs_site.kernel.work import Handler
from incidents import services
from incidents.detecting.detection import detect
from incidents.models import Incident
from ingestion.models import Event
from ingestion.services import ingest
from tenants.access import Identity
from tenants.models import Scope, Tenant, Workflow

STAGES: tuple[tuple[str, Handler], ...] = (
    ("detect", detect),
    ("analyse", analyse),
    ("plan", planning.plan),
    ("verify", verification.verify),
)
SCHEMA_VERSION = "1.0.0"
# How long ago a person took over what automation had handed them.
TAKEN_MINUTES = 190
_ENGINE = Actor("sender", "demo engine")


@dataclass(frozen=True)
class Told:
    """Something a workflow reports `minutes` ago: one event a resource, a few seconds apart."""

    minutes: float
    workflow: str
    event_type: str
    resource_type: str
    resources: tuple[str, ...]
    payload: dict[str, Any]


def _failure(code: str, message: str, vendor: str, **more: Any) -> dict[str, Any]:
    return {"error_code": code, "error_message": message, "vendor": vendor} | more


_CAPTURES = ("pi_3QdemoCapture0001", "pi_3QdemoCapture0002", "pi_3QdemoCapture0003")
_RECEIPTS = ("em_demoReceipt00000001", "em_demoReceipt00000002")
_CONTACTS = ("003QyDemoContact01", "003QyDemoContact02", "003QyDemoContact03", "003QyDemoContact04")
_STRIPE = {"vendor": "stripe", "duration_ms": 412}

STORY: tuple[Told, ...] = (
    # A vendor that is away and back again before the first retry is due.
    Told(
        300, "payments.capture", "payment.capture.failed", "payment", _CAPTURES,
        _failure("service_unavailable", "503 Service Unavailable from api.stripe.com", "stripe"),
    ),
    Told(299.7, "payments.capture", "payment.capture.succeeded", "payment", _CAPTURES, _STRIPE),
    Told(
        245, "email.receipt-send", "receipt.send.failed", "email", _RECEIPTS,
        _failure("greylisted", "450 4.2.0 Greylisted, try again later", "sendgrid"),
    ),
    Told(244.6, "email.receipt-send", "receipt.send.succeeded", "email", _RECEIPTS, {}),
    # A change, and what it broke: no retry mends it.
    Told(
        201, "crm.contact-sync", "change.secret_rotated", "secret", ("crm/salesforce/oauth",),
        {"summary": "Rotated OAuth client secret", "changed_by": "platform-bot"},
    ),
    Told(
        197, "crm.contact-sync", "contact.sync.failed", "contact", _CONTACTS,
        _failure("invalid_grant", "401 invalid_grant: expired refresh token", "salesforce"),
    ),
    # Final answers: nothing to do.
    Told(
        130, "payments.capture", "payment.capture.failed", "payment",
        ("pi_3QdemoCapture0011", "pi_3QdemoCapture0012"),
        _failure("card_declined", "Your card was declined.", "stripe", amount_minor=4_200),
    ),
    Told(
        92, "payments.capture", "payment.capture.failed", "payment", ("pi_3QdemoCapture0021",),
        _failure("vendor_maintenance", "Planned maintenance in progress", "stripe"),
    ),
    Told(
        91.6, "payments.capture", "payment.capture.succeeded", "payment", ("pi_3QdemoCapture0021",),
        _STRIPE,
    ),
    # Held by the kill switch.
    Told(
        58, "warehouse.pipeline", "warehouse.batch.failed", "batch",
        ("wms-demo-0007a", "wms-demo-0008b"),
        _failure("deadlock_detected", "deadlock detected: process 4711 waits", "internal"),
    ),
    Told(
        40, "email.receipt-send", "receipt.send.succeeded", "email",
        ("em_demoReceipt00000003", "em_demoReceipt00000004"), {"duration_ms": 230},
    ),
    # Nobody has given this one a code: a person decides.
    Told(
        11, "crm.contact-sync", "contact.sync.failed", "contact",
        ("003QyDemoContact07", "003QyDemoContact08", "003QyDemoContact09"),
        _failure(
            "",
            "UNABLE_TO_LOCK_ROW: unable to obtain exclusive access to this record",
            "salesforce",
            duration_ms=10_004,
        ),
    ),
    Told(
        6, "payments.capture", "payment.capture.succeeded", "payment",
        ("pi_3QdemoCapture0031", "pi_3QdemoCapture0032", "pi_3QdemoCapture0033"), _STRIPE,
    ),
)  # fmt: skip


def tell(tenant: Tenant, now: datetime) -> None:
    """Play the story up to `now` for `tenant`, unless it was played before."""
    if Event.objects.filter(tenant=tenant, idempotency_key=_key(0, 0)).exists():
        return
    workflows = {w.name: w for w in Workflow.objects.filter(tenant=tenant)}
    identity = Identity(tenant, _ENGINE, frozenset({Scope.INGEST}))
    numbered = sorted(enumerate(STORY), key=lambda pair: -pair[1].minutes)
    taken = False
    for minutes, group in groupby(numbered, key=lambda pair: pair[1].minutes):
        if minutes < TAKEN_MINUTES and not taken:
            _look_after_the_escalated(tenant, now - timedelta(minutes=TAKEN_MINUTES))
            taken = True
        at = now - timedelta(minutes=minutes)
        _take_in(identity, _documents(tenant, workflows, group, at), at)
        _run_stages(tenant, at)


def _key(scene: int, item: int) -> str:
    return f"demo-{scene:02d}-{item:02d}"


def _documents(
    tenant: Tenant,
    workflows: dict[str, Workflow],
    scenes: Iterable[tuple[int, Told]],
    at: datetime,
) -> list[dict[str, Any]]:
    return [
        {
            "tenant_id": str(tenant.pk),
            "workflow_id": str(workflows[told.workflow].pk),
            "event_type": told.event_type,
            "payload": told.payload,
            "idempotency_key": _key(scene, item),
            "occurred_at": (at - timedelta(seconds=len(told.resources) - item)).isoformat(),
            "schema_version": SCHEMA_VERSION,
            "correlation_id": f"demo-{scene:02d}",
            "resource_type": told.resource_type,
            "resource_id": resource,
        }
        for scene, told in scenes
        for item, resource in enumerate(told.resources)
    ]


def _take_in(identity: Identity, documents: Sequence[dict[str, Any]], at: datetime) -> None:
    for verdict in ingest(identity=identity, documents=documents, now=at):
        verdict.accepted()


def _run_stages(tenant: Tenant, at: datetime) -> None:
    """What the workers would do at `at`, but for sending anything to anybody."""
    for stage, handler in STAGES:
        due = Work.objects.filter(stage=stage, tenant_id=tenant.pk, due_at__lte=at)
        rows = list(due.order_by("due_at", "id").select_for_update())
        if rows:
            handler([row.subject_id for row in rows], at)
            Work.objects.filter(pk__in=[row.pk for row in rows]).delete()
    quiet = (ActionKind.ESCALATE, ActionKind.NONE)
    due_now = Action.objects.filter(tenant=tenant, status=ActionStatus.PLANNED, kind__in=quiet)
    for action in due_now.filter(due_at__lte=at).select_for_update(of=("self",)):
        sending.start(sending.change_holder(action, ActionStatus.CLAIMED, at), at)


def _look_after_the_escalated(tenant: Tenant, at: datetime) -> None:
    """What a person has done meanwhile with the incident that automation handed over."""
    alice = User.objects.get(username="alice")
    actor = Actor("person", "alice", alice.pk)
    incident = Incident.objects.filter(tenant=tenant, escalated_at__isnull=False).first()
    if incident is None:
        return
    services.acknowledge(incident=incident, user=alice, actor=actor, now=at)
    services.assign(incident=incident, user=alice, actor=actor, now=at)
    text = "The new client secret is not in the vault yet; asked the platform team."
    services.comment(incident=incident, text=text, actor=actor, now=at + timedelta(minutes=2))
