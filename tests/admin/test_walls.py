"""A staff user who is admin of one tenant neither sees nor changes another's rows [T2]."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from actions.models import (
    Action,
    Channel,
    Connector,
    Delivery,
    EscalationPolicy,
    Page,
    RecoveryPlan,
)
from ai.models import Decision
from awfdrs_site.kernel.models import AuditEntry, Work
from incidents.models import Incident
from ingestion.models import Event
from safety.models import AutomationPolicy, ErrorCode, KillSwitch, RetryPolicy, Vendor
from tenants.models import ApiKey, Membership, Tenant, Workflow
from tests.admin.conftest import POLICY, World
from tests.admin.test_pages import MODELS, url

TENANT_TABLES = (
    Tenant, Workflow, Membership, ApiKey, Vendor, AutomationPolicy, KillSwitch, Event, Incident,
    Decision, Action, Connector, Delivery, Channel, EscalationPolicy, Page, RecoveryPlan,
    AuditEntry, Work,
)  # fmt: skip


def test_no_list_names_the_other_tenant(anna: Client, world: World, other: World) -> None:
    """Neither in rows nor in filters nor in select boxes, on any page that opens."""
    for model in MODELS:
        for page in ("changelist", "add"):
            answer = anna.get(url(model, page))
            assert "northwind" not in answer.content.decode().lower(), (model, page)


@pytest.mark.parametrize("model", TENANT_TABLES, ids=lambda m: m.__name__)
def test_it_shows_own_rows_and_not_the_others(
    anna: Client, world: World, other: World, model: Any
) -> None:
    """By the address of a row: own 200; the other's is sent away as one that does not exist."""
    field = "pk" if model is Tenant else "tenant_id"
    own = model.objects.filter(**{field: world.tenant.pk}).first()
    theirs = model.objects.filter(**{field: other.tenant.pk}).first()
    assert anna.get(url(model, "change", own.pk)).status_code == 200
    for page in ("change", "delete", "history"):
        assert anna.get(url(model, page, theirs.pk)).status_code in (302, 403, 404), page
        assert anna.post(url(model, page, theirs.pk), {"post": "yes"}).status_code in (
            302, 403, 404, 405,
        )  # fmt: skip
    assert model.objects.filter(pk=theirs.pk).exists()


def test_accounts_and_locks_are_for_superusers(anna: Client, world: World) -> None:
    for model in MODELS:
        if model._meta.app_label in ("auth", "axes"):
            assert anna.get(url(model, "changelist")).status_code == 403
            assert anna.get(url(model, "add")).status_code == 403


@pytest.mark.parametrize("role", ["viewer", "responder"])
def test_only_the_admin_role_opens_it(world: World, anna: Client, role: str) -> None:
    world.membership.role = role
    world.membership.save()
    for model in MODELS:
        assert anna.get(url(model, "changelist")).status_code == 403


def test_an_inactive_tenant_is_closed_to_its_admin(world: World, anna: Client) -> None:
    Tenant.objects.filter(pk=world.tenant.pk).update(is_active=False)
    assert anna.get(url(Workflow, "changelist")).status_code == 403


def test_a_posted_row_cannot_point_into_another_tenant(
    anna: Client, world: World, other: World
) -> None:
    """The select boxes do not offer it, and a forged post is refused."""
    forged = {"tenant": str(other.tenant.pk), "name": "forged", "description": ""}
    assert anna.post(url(Workflow, "add"), forged).status_code == 200
    assert not Workflow.objects.filter(name="forged").exists()
    policy = RetryPolicy.objects.create(tenant=other.tenant, name="theirs")
    rule = {
        "tenant": str(world.tenant.pk), "code": "forged", "severity": "low",
        "category": "unknown", "retry_policy": str(policy.pk),
    }  # fmt: skip
    assert anna.post(url(ErrorCode, "add"), rule).status_code == 200
    assert not ErrorCode.objects.filter(code="forged").exists()
    stop = {"tenant": str(world.tenant.pk), "scope": "workflow", "blocks": "automation",
            "workflow": str(other.workflow.pk)}  # fmt: skip
    assert anna.post(url(KillSwitch, "add"), stop).status_code == 200
    assert KillSwitch.objects.filter(workflow=other.workflow).count() == 0


def test_a_superusers_row_cannot_mix_tenants_either(
    boss: Client, world: World, other: World
) -> None:
    policy = POLICY | {"tenant": str(world.tenant.pk), "workflow": str(other.workflow.pk)}
    answer = boss.post(url(AutomationPolicy, "add"), policy)
    assert "belongs to another tenant" in answer.content.decode()


def test_the_defaults_are_shown_to_a_tenants_admin_and_kept_by_superusers(
    anna: Client, boss: Client, world: World
) -> None:
    default = ErrorCode.objects.filter(tenant=None).select_related("retry_policy").first()
    assert default is not None
    page = url(ErrorCode, "change", default.pk)
    body = {
        "code": default.code, "severity": "low", "category": default.category,
        "retry_policy": str(default.retry_policy_id),
    }  # fmt: skip
    assert anna.get(page).status_code == 200
    assert anna.post(page, body).status_code == 403
    assert anna.post(url(ErrorCode, "delete", default.pk), {"post": "yes"}).status_code == 403
    assert anna.post(url(ErrorCode, "add"), body | {"code": "x1"}).status_code == 200
    assert not ErrorCode.objects.filter(code="x1").exists(), "a default needs a superuser"
    assert boss.post(page, body).status_code == 302
    default.refresh_from_db()
    assert default.severity == "low"


def test_a_global_stop_is_for_superusers(anna: Client, boss: Client, world: World) -> None:
    body = {"scope": "global", "blocks": "automation", "reason": "drill"}
    assert anna.post(url(KillSwitch, "add"), body).status_code == 200
    assert not KillSwitch.objects.filter(scope="global").exists()
    assert boss.post(url(KillSwitch, "add"), body).status_code == 302
    switch = KillSwitch.objects.get(scope="global")
    assert anna.get(url(KillSwitch, "change", switch.pk)).status_code == 200
    forged = anna.post(url(KillSwitch, "change", switch.pk), {"release_reason": "mine"})
    assert forged.status_code == 403
    assert User.objects.filter(username="boss").exists()


def test_quota_and_activity_are_not_the_tenants_own_to_set(anna: Client, world: World) -> None:
    body = {"name": "Meridian Ltd", "events_per_minute": "1000000", "is_active": ""}
    assert anna.post(url(Tenant, "change", world.tenant.pk), body).status_code == 302
    world.tenant.refresh_from_db()
    assert world.tenant.name == "Meridian Ltd"
    assert (world.tenant.is_active, world.tenant.events_per_minute) == (True, 60_000)
    assert anna.get(url(Tenant, "add")).status_code == 403
