"""The demo's world: fixed tenants, workflows, vendors, people and a key [O5].

Everything is written once and then left alone: what somebody changed afterwards stays changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model

from actions.plans.templates import ensure_default_plans
from awfdrs_site import demo_story
from awfdrs_site.kernel import audit
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.management.commands.up import SIMULATOR_PORT
from safety.models import AutomationPolicy, BreakerState, KillSwitch, OnOpen, SwitchScope, Vendor
from safety.services import engage_switch, ensure_default_rules
from tenants import keys
from tenants.models import ApiKey, Membership, Role, Scope, Tenant, Workflow
from tenants.services import issue_key, set_member

# Public on purpose: they open the demo's data and nothing else.
PASSWORD = "awfdrs-demo"  # noqa: S105
KEY = "awf_demo_5eedc0de5eedc0de5eedc0de5eedc0de5eedc0de5eedc0de"
RETRY_SECRET = "whsec_YXdmZHJzLWRlbW8tcmV0cnktc2VjcmV0LTMyYnl0ZXM="  # noqa: S105
RETRY_URL = f"http://127.0.0.1:{SIMULATOR_PORT}/retry"

MERIDIAN = UUID("00000000-0000-0000-0000-000000000001")
NORTHWIND = UUID("00000000-0000-0000-0000-000000000002")
DORMANT = UUID("00000000-0000-0000-0000-000000000003")
TENANTS = {
    MERIDIAN: ("Meridian Commerce", True),
    NORTHWIND: ("Northwind Logistics", True),
    DORMANT: ("Dormant Ltd", False),
}
WORKFLOWS = {
    "payments.capture": "Captures authorised card payments with Stripe",
    "crm.contact-sync": "Keeps Salesforce contacts in step with the shop",
    "email.receipt-send": "Sends a receipt for every captured payment",
    "warehouse.pipeline": "Reconciles stock with NetSuite in batches",
}
STOPPED_WORKFLOW = "warehouse.pipeline"
HOURS = 3600


@dataclass(frozen=True)
class Person:
    """A log-in; `roles` by tenant. `operates`: a superuser, who also keeps the default rules."""

    name: str
    roles: dict[UUID, Role]
    staff: bool = False
    operates: bool = False

    def log_in(self) -> str:
        """The line that tells people how to get in."""
        words = [f"{role} of {TENANTS[tenant][0]}" for tenant, role in self.roles.items()]
        words += ["Django admin"] if self.staff else []
        return f"log-in: {self.name} / {PASSWORD} ({', '.join(words)})"


PEOPLE = (
    Person("alice", {MERIDIAN: Role.RESPONDER}),
    Person("anna", {MERIDIAN: Role.ADMIN, NORTHWIND: Role.ADMIN}, staff=True, operates=True),
    Person("vera", {MERIDIAN: Role.VIEWER}),
    Person("mallory", {NORTHWIND: Role.ADMIN}, staff=True),
)


def workflow_id(name: str) -> UUID:
    """The fixed id of one of WORKFLOWS: they are numbered in their order."""
    return UUID(f"10000000-0000-0000-0000-{list(WORKFLOWS).index(name) + 1:012d}")


@transaction.atomic
def seed(now: datetime) -> None:
    """Write whatever of the demo is not there yet. Idempotent; all of it or nothing."""
    ensure_default_rules()
    ensure_default_plans(now)
    for pk, (name, is_active) in TENANTS.items():
        _once(Tenant, {"pk": pk}, now, name=name, is_active=is_active)
    for name, description in WORKFLOWS.items():
        _once(
            Workflow,
            {"pk": workflow_id(name)},
            now,
            tenant_id=MERIDIAN,
            name=name,
            description=description,
            retry_url=RETRY_URL,
            retry_secret=RETRY_SECRET,
        )
    for person in PEOPLE:
        _person(person, now)
    _key(now)
    _vendors(now)
    _policies(now)
    _kill_switch(now - timedelta(minutes=95))
    demo_story.tell(Tenant.objects.get(pk=MERIDIAN), now)


def _once(model: type[Model], key: dict[str, Any], now: datetime, **fields: Any) -> None:
    rows = model._default_manager
    row, is_new = rows.get_or_create(**key, defaults=fields)
    if is_new:
        tenant_id = row.pk if isinstance(row, Tenant) else row.tenant_id  # type: ignore[attr-defined]
        audit.record(tenant_id=tenant_id, actor=MACHINE, verb="created", subject=row, now=now)


def _person(person: Person, now: datetime) -> None:
    user = User.objects.filter(username=person.name).first()
    if user is None:
        user = User.objects.create_user(
            person.name,
            password=PASSWORD,
            is_staff=person.staff,
            is_superuser=person.operates,
        )
    for tenant_id, role in person.roles.items():
        if not Membership.objects.filter(tenant_id=tenant_id, user=user).exists():
            tenant = Tenant.objects.get(pk=tenant_id)
            set_member(tenant=tenant, user=user, role=role, actor=MACHINE, now=now)


def _key(now: datetime) -> None:
    key = keys.parse(KEY)
    assert key is not None
    if not ApiKey.objects.filter(prefix=key.prefix).exists():
        issue_key(
            tenant=Tenant.objects.get(pk=MERIDIAN),
            name="demo",
            scopes=[Scope.INGEST, Scope.READ, Scope.ACT],
            actor=MACHINE,
            now=now,
            key=key,
        )


def _vendors(now: datetime) -> None:
    """One in each state of the breaker; the open one stays open for a working day."""
    changed = now - timedelta(minutes=3)
    states: dict[str, dict[str, Any]] = {
        "stripe": {"breaker_state": BreakerState.CLOSED, "requests_per_minute": 600},
        # Its events come in whatever the breaker says; only the actions are held.
        "salesforce": {
            "breaker_state": BreakerState.HALF_OPEN,
            "breaker_changed_at": changed,
            "on_open": OnOpen.RECORD,
        },
        "netsuite": {
            "breaker_state": BreakerState.OPEN,
            "breaker_changed_at": changed,
            "failure_threshold": 5,
            "open_seconds": 8 * HOURS,
            "requests_per_minute": 60,
        },
    }
    for name, fields in states.items():
        _once(Vendor, {"tenant_id": MERIDIAN, "name": name}, now, **fields)


def _policies(now: datetime) -> None:
    """A visitor has four hours to approve; the warehouse is held to a stricter line."""
    patient = {"approval_seconds": 4 * HOURS}
    _once(AutomationPolicy, {"tenant_id": MERIDIAN, "workflow": None}, now, **patient)
    _once(
        AutomationPolicy,
        {"tenant_id": MERIDIAN, "workflow_id": workflow_id(STOPPED_WORKFLOW)},
        now,
        confidence_threshold=0.95,
        max_attempts=2,
        **patient,
    )


def _kill_switch(now: datetime) -> None:
    workflow = Workflow.objects.get(pk=workflow_id(STOPPED_WORKFLOW))
    # Once only: whoever has released it wants it released.
    if KillSwitch.objects.filter(workflow=workflow).exists():
        return
    anna = User.objects.get(username="anna")
    engage_switch(
        tenant=workflow.tenant,
        scope=SwitchScope.WORKFLOW,
        workflow=workflow,
        reason="Stock count until Friday: no batch may be run twice",
        actor=Actor("person", "anna", anna.pk),
        now=now,
    )
