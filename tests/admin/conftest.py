"""Who opens the admin pages, and a row of everything to look at."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.utils import timezone

from actions.models import (
    Action,
    Channel,
    Connector,
    Delivery,
    EscalationPolicy,
    Page,
    RecoveryPlan,
)
from actions.plans.templates import save_plan
from ai.models import Decision
from awfdrs_site.kernel.actor import MACHINE
from incidents.models import Incident
from safety.models import AutomationPolicy, KillSwitch, Vendor
from safety.selectors import forget_rules
from safety.services import engage_switch, ensure_default_rules
from tenants.models import ApiKey, Membership, Tenant, Workflow
from tenants.services import issue_key, set_member
from tests.builders import a_tenant, a_workflow, an_event
from tests.connectors.conftest import a_connector


@dataclass
class World:
    """One tenant with a row in every table that has an admin page."""

    tenant: Tenant
    workflow: Workflow
    vendor: Vendor
    policy: AutomationPolicy
    key: ApiKey
    switch: KillSwitch
    incident: Incident
    decision: Decision
    action: Action
    connector: Connector
    channel: Channel
    plan: RecoveryPlan
    admin: User
    membership: Membership


PLAN = """\
name: mend
title: Mend {name}
steps:
  - {{key: pause, kind: pause_workflow, with: {{seconds: 60}}}}
  - {{key: again, kind: retry, on_failure: roll_back}}
verify: {{kind: probe_quiet}}
"""


def a_world(name: str) -> World:
    now = timezone.now()
    tenant = a_tenant(name=name)
    workflow = a_workflow(tenant, retry_secret="whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ=")
    user = User.objects.create_user(f"admin-of-{name}", is_staff=True)
    membership = set_member(tenant=tenant, user=user, role="admin", actor=MACHINE, now=now)
    key, _ = issue_key(tenant=tenant, name="engine", scopes=["ingest"], actor=MACHINE, now=now)
    an_event(workflow)
    incident = Incident.objects.create(
        tenant=tenant,
        number=1,
        workflow=workflow,
        signature=name[:32],
        signature_kind="code",
        signature_text="payment_timeout",
        title=f"Timed out in {name}",
        first_seen_at=now,
        last_seen_at=now,
        opened_at=now,
    )
    decision = Decision.objects.create(
        tenant=tenant,
        incident=incident,
        type="retry",
        category="transient_timeout",
        severity="high",
        confidence=0.9,
        confidence_parts=[],
        hypotheses=[],
        similar=[],
        reasoning="It times out.",
        recommended_action="Retry.",
        parameters={},
        model="local-1",
        inputs={},
        created_at=now,
    )
    action = Action.objects.create(
        tenant=tenant,
        incident=incident,
        decision=decision,
        kind="retry",
        created_at=now,
        due_at=now,
    )
    connector = a_connector(tenant, settings={"base_url": "http://127.0.0.1:9"})
    Delivery.objects.create(
        tenant=tenant, connector=connector, action=action, at=now, method="POST", host="127.0.0.1",
        certainty="accepted",
    )  # fmt: skip
    channel = Channel.objects.create(tenant=tenant, name="Ops", kind="email", sealed=b"sealed")
    EscalationPolicy.objects.create(tenant=tenant)
    Page.objects.create(
        tenant=tenant,
        incident=incident,
        escalation=action,
        channel=channel,
        due_at=now,
        created_at=now,
    )
    return World(
        tenant=tenant,
        workflow=workflow,
        vendor=Vendor.objects.create(tenant=tenant, name=f"vendor-of-{name}"),
        policy=AutomationPolicy.objects.create(tenant=tenant, workflow=workflow),
        key=key,
        switch=engage_switch(tenant=tenant, scope="tenant", actor=MACHINE, now=now),
        incident=incident,
        decision=decision,
        action=action,
        connector=connector,
        channel=channel,
        plan=save_plan(tenant=tenant, source=PLAN.format(name=name), actor=MACHINE, now=now),
        admin=user,
        membership=membership,
    )


@pytest.fixture(scope="module")
def shared_world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Made once a module, with the default rules, in a transaction that is rolled back."""
    with django_db_blocker.unblock(), transaction.atomic():
        ensure_default_rules()
        yield a_world("meridian")
        transaction.set_rollback(True)


@pytest.fixture
def world(shared_world: World, db: None) -> World:
    """The world as it was made: what a test does to it is rolled back."""
    forget_rules()
    return deepcopy(shared_world)


@pytest.fixture
def other(world: World) -> World:
    return a_world("northwind")


@pytest.fixture
def boss(world: World) -> Client:
    """A superuser's browser."""
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def anna(world: World) -> Client:
    """The browser of a staff user who is admin of `world`'s tenant, and no superuser."""
    client = Client()
    client.force_login(world.admin)
    return client


# What the form of an automation policy posts, beside tenant and workflow.
POLICY = {
    "confidence_threshold": "0.8", "max_attempts": "5",
    "max_actions_per_hour": "600", "max_actions_per_day": "5000",
    "max_incident_retries_per_day": "20", "max_workflow_retries_per_hour": "300",
    "max_vendor_retries_per_hour": "300", "cooldown_seconds": "300",
    "recurrence_seconds": "3600", "max_ineffective": "3", "approval_seconds": "900",
    "verify_seconds": "60", "expires_at_0": "", "expires_at_1": "",
    "second_approver": "critical", "requester_may_approve": "on", "trust_successes": "5",
    "trust_start_retry": "automatic", "trust_start_plan": "approve",
    "held_back_percent": "0", "held_back_seconds": "600",
}  # fmt: skip
