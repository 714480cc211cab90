"""No way to write through the admin leaves without an entry of the audit log: every way is walked.

Each page that is registered is asked what it lets a superuser do, and does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client, RequestFactory

from actions.models import Channel, Connector, EscalationPolicy, RecoveryPlan
from awfdrs_site.kernel.models import AuditEntry
from safety.models import (
    AutomationPolicy,
    ErrorCode,
    EventTypeRule,
    KillSwitch,
    MessagePattern,
    RetryPolicy,
    Vendor,
)
from safety.rule_admin import as_posted
from tenants.models import ApiKey, Membership, Tenant, Workflow
from tests.admin.conftest import PLAN, World
from tests.admin.test_channels import SLACK
from tests.admin.test_pages import MODELS, url
from tests.connectors.conftest import WHSEC

Fields = Callable[[World], dict[str, Any]]

# What makes of a row's form another row's.
ADDED: dict[type[Model], Fields] = {
    Tenant: lambda world: {"name": "Another"},
    Workflow: lambda world: {"name": "another.one"},
    Membership: lambda world: {"user": User.objects.create(username="new").pk},
    ApiKey: lambda world: {"name": "another", "scopes": ["read"]},
    Vendor: lambda world: {"name": "another"},
    RetryPolicy: lambda world: {"name": "another"},
    ErrorCode: lambda world: {"code": "another_code"},
    MessagePattern: lambda world: {"name": "another"},
    EventTypeRule: lambda world: {"pattern": "another.*"},
    AutomationPolicy: lambda world: {"workflow": ""},
    KillSwitch: lambda world: {"scope": "workflow", "workflow": world.workflow.pk,
                               "blocks": "automation"},
    Connector: lambda world: {"name": "another", "kind": "http", "secret": WHSEC},
    Channel: lambda world: {"name": "another", "url": SLACK},
    EscalationPolicy: lambda world: {"severity": "low"},
    RecoveryPlan: lambda world: {"source": PLAN.format(name="x").replace("mend", "another", 1)},
    User: lambda world: {"username": "another", "password1": "Corr3ct-horse!",
                         "password2": "Corr3ct-horse!", "usable_password": "true"},
}  # fmt: skip
# What is posted to change a row; of a box, "" unticks it.
CHANGED: dict[type[Model], dict[str, str]] = {
    Tenant: {"events_per_minute": "7"},
    Workflow: {"description": "Changed."},
    Membership: {"role": "viewer"},
    Vendor: {"open_seconds": "7"},
    RetryPolicy: {"max_delay_seconds": "299"},
    ErrorCode: {"description": "Changed."},
    MessagePattern: {"description": "Changed."},
    EventTypeRule: {"position": "7"},
    AutomationPolicy: {"max_attempts": "2"},
    KillSwitch: {"release_reason": "Over."},
    Connector: {"dry_run": "on"},
    Channel: {"enabled": ""},
    EscalationPolicy: {"repeats": "2"},
    RecoveryPlan: {"source": PLAN.format(name="meridian").replace("60", "90")},
    User: {"first_name": "Changed"},
}


def row_of(model: type[Model]) -> Model:
    if model is AccessAttempt:
        return AccessAttempt.objects.create(username="x", failures_since_start=1)
    rows = model._default_manager.order_by("pk")
    row = rows.filter(kind="exponential").first() if model is RetryPolicy else rows.first()
    assert row is not None
    return row


def of(page: Any, client: Client) -> Any:
    """A request of the client's person, to ask the page what they may."""
    request = RequestFactory().get("/admin/")
    request.user = User.objects.get(pk=client.session["_auth_user_id"])
    return request


def form_of(client: Client, address: str) -> dict[str, Any]:
    """What the form posts if nothing is touched."""
    form = client.get(address).context["adminform"].form
    return as_posted(form.initial, form.fields)


def entries(model: type[Model], **about: Any) -> int:
    return AuditEntry.objects.filter(subject_type=model._meta.label_lower, **about).count()


def walked(permission: str) -> list[type[Model]]:
    """The models whose page lets a superuser do it."""
    request = RequestFactory().get("/admin/")
    request.user = User(is_superuser=True, is_staff=True, is_active=True)
    return [
        model
        for model in MODELS
        if getattr(admin.site.get_model_admin(model), f"has_{permission}_permission")(request)
    ]


def test_there_is_no_other_way_to_write() -> None:
    """Neither in a list nor inside another's form: such a way would need an entry of its own."""
    for model in MODELS:
        page = admin.site.get_model_admin(model)
        assert not page.list_editable, model
        assert not page.inlines, model


def test_the_walk_knows_every_page_that_writes() -> None:
    assert set(walked("add")) == set(ADDED)
    assert set(walked("change")) == {*CHANGED, ApiKey}


@pytest.mark.parametrize("model", walked("add"), ids=lambda model: model.__name__)
def test_adding_is_in_the_audit_log(boss: Client, world: World, model: type[Model]) -> None:
    """Seen red with `log_addition` that only calls Django's."""
    row = row_of(model)
    body = {} if model is User else form_of(boss, url(model, "change", row.pk))
    body |= {"tenant": str(world.tenant.pk)} | ADDED[model](world)
    before, ids = entries(model), set(model._default_manager.values_list("pk", flat=True))
    answer = boss.post(url(model, "add"), body)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    (new,) = set(model._default_manager.values_list("pk", flat=True)) - ids
    assert entries(model) == before + 1
    assert entries(model, subject_id=str(new)) == 1


@pytest.mark.parametrize("model", sorted(CHANGED, key=str), ids=lambda model: model.__name__)
def test_changing_is_in_the_audit_log(boss: Client, world: World, model: type[Model]) -> None:
    """Once, by whom. Seen red with `log_change` that only calls Django's."""
    row = row_of(model)
    address = url(model, "change", row.pk)
    body = form_of(boss, address) | CHANGED[model]
    before = entries(model)
    answer = boss.post(address, {name: value for name, value in body.items() if value != ""})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert entries(model) == before + 1
    assert AuditEntry.objects.latest("id").actor == "boss"


@pytest.mark.parametrize("model", walked("delete"), ids=lambda model: model.__name__)
def test_deleting_is_in_the_audit_log(boss: Client, world: World, model: type[Model]) -> None:
    """With what the row was. Seen red with `log_deletions` that only calls Django's."""
    row = row_of(model)
    if model is RetryPolicy:
        row = RetryPolicy.objects.create(name="unused", tenant=world.tenant)
    assert boss.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 302
    assert not model._default_manager.filter(pk=row.pk).exists()
    (entry,) = AuditEntry.objects.filter(subject_id=str(row.pk), verb="deleted",
                                         subject_type=model._meta.label_lower)  # fmt: skip
    assert entry.before


def test_what_would_take_history_along_is_not_deleted_here() -> None:
    """Rules come back from their list of deleted ones; the rest is switched off or ended."""
    rules = {RetryPolicy, ErrorCode, MessagePattern, EventTypeRule, AutomationPolicy}
    assert set(walked("delete")) == rules | {Membership, EscalationPolicy, AccessAttempt}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_action_asks_for_a_reason_and_audits_it(
    boss: Client, world: World, model: type[Model]
) -> None:
    """At the first click nothing happens. Seen red with `switch` that writes no entry. A
    test of a channel changes nothing and needs no reason."""
    page, request = admin.site.get_model_admin(model), of(None, boss)
    row = row_of(model)
    if model is RetryPolicy:
        row = RetryPolicy.objects.create(name="unused", tenant=world.tenant)
    djangos = {"delete_selected"} if model is AccessAttempt else set()
    names = set(page.get_actions(request)) - djangos
    for name in sorted(names):
        before = entries(model)
        chosen = {"action": name, "_selected_action": [str(row.pk)]}
        asked = boss.post(url(model, "changelist"), chosen)
        if name == "test":
            assert entries(model) == before + 1
            continue
        assert asked.status_code == 200, name
        assert "Why" in asked.content.decode()
        assert entries(model) == before, name
        boss.post(url(model, "changelist"), chosen | {"confirmed": "1", "reason": "It is time."})
        assert entries(model) == before + 1, name
        assert AuditEntry.objects.latest("id").comment == "It is time.", name


def test_an_action_is_for_whom_the_row_is(anna: Client, world: World, other: World) -> None:
    """Rows of another tenant are not among the chosen; a default is nobody's but a superuser's.
    Seen red without the look at each row's permission."""
    chosen = {"action": "revoke", "confirmed": "1", "reason": "Mine."}
    theirs = chosen | {"_selected_action": [str(other.key.pk)]}
    anna.post(url(ApiKey, "changelist"), theirs)
    other.key.refresh_from_db()
    assert other.key.revoked_at is None
    default = EventTypeRule.objects.filter(tenant=None).earliest("pk")
    gone = {"action": "delete_selected", "confirmed": "1", "reason": "Mine."}
    answer = anna.post(
        url(EventTypeRule, "changelist"), gone | {"_selected_action": [str(default.pk)]}
    )
    assert answer.status_code == 403
    assert EventTypeRule.objects.filter(pk=default.pk).exists()


def test_the_history_of_an_object_is_its_audit_log(anna: Client, world: World) -> None:
    """Reached from its form; in words, with who, why and what it was. Seen red with Django's."""
    body = {"action": "switch_off", "_selected_action": [str(world.workflow.pk)]}
    anna.post(url(Workflow, "changelist"), body | {"confirmed": "1", "reason": "Moved <away>."})
    history = url(Workflow, "history", world.workflow.pk)
    assert history in anna.get(url(Workflow, "change", world.workflow.pk)).content.decode()
    page = anna.get(history).content.decode()
    assert "<strong>Changed</strong> by " + world.admin.username in page
    assert "“Moved &lt;away&gt;.”" in page
    assert "<dt>Is active</dt><dd><del>yes</del>" in page
