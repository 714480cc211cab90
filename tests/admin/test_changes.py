"""What is changed in the admin is checked, audited, and done through the services."""

from __future__ import annotations

import json
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from awfdrs_site.kernel.actor import MACHINE
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
from safety.selectors import event_kind
from tenants.models import ApiKey, Membership, Tenant, Workflow
from tenants.services import issue_key
from tests.admin.conftest import POLICY, World
from tests.admin.test_pages import url

SECRET = "whsec_bmV3LXNlY3JldC1uZXctc2VjcmV0"


def last_audit() -> AuditEntry:
    entry = AuditEntry.objects.order_by("pk").last()
    assert entry is not None
    return entry


def workflow_body(world: World, **fields: str) -> dict[str, str]:
    return {
        "tenant": str(world.tenant.pk), "name": world.workflow.name, "description": "",
        "is_active": "on", "retry_url": "http://127.0.0.1:9100/x", "retry_secret": "",
    } | fields  # fmt: skip


def test_a_change_is_audited_with_before_and_after(anna: Client, world: World) -> None:
    """Only what changed, by whom; once."""
    count = AuditEntry.objects.count()
    body = {"failure_threshold": "7", "open_seconds": "300", "requests_per_minute": "600"}
    body |= {"name": world.vendor.name}
    assert anna.post(url(Vendor, "change", world.vendor.pk), body).status_code == 302
    entry = last_audit()
    assert AuditEntry.objects.count() == count + 1
    assert (entry.tenant_id, entry.actor, entry.verb) == (
        world.tenant.pk, world.admin.username, "changed",
    )  # fmt: skip
    assert (entry.before, entry.after) == ({"failure_threshold": 10}, {"failure_threshold": 7})


def test_a_form_saved_without_a_change_leaves_no_entry(anna: Client, world: World) -> None:
    count = AuditEntry.objects.count()
    body = {"failure_threshold": "10", "open_seconds": "300", "requests_per_minute": "600"}
    anna.post(url(Vendor, "change", world.vendor.pk), body | {"name": world.vendor.name})
    assert AuditEntry.objects.count() == count


def test_the_retry_secret_can_be_written_and_not_read(anna: Client, world: World) -> None:
    """Neither on the page nor in the audit log nor in Django's history; empty keeps it."""
    page = url(Workflow, "change", world.workflow.pk)
    old = world.workflow.retry_secret
    assert old not in anna.get(page).content.decode()
    assert anna.post(page, workflow_body(world)).status_code == 302
    world.workflow.refresh_from_db()
    assert world.workflow.retry_secret == old
    assert anna.post(page, workflow_body(world, retry_secret=SECRET)).status_code == 302
    world.workflow.refresh_from_db()
    assert world.workflow.retry_secret == SECRET
    logged = json.dumps(list(AuditEntry.objects.values("before", "after", "comment")))
    assert SECRET not in logged
    assert old not in logged
    assert last_audit().after == {"retry_secret": "[set anew]"}
    assert SECRET not in anna.get(url(Workflow, "history", world.workflow.pk)).content.decode()
    refused = anna.post(page, workflow_body(world, retry_secret="plain"))
    assert refused.status_code == 200
    assert "plain" not in refused.content.decode().replace("text/plain", "")


def test_a_key_is_shown_once_and_revoked_at_once(anna: Client, world: World) -> None:
    body = {"tenant": str(world.tenant.pk), "name": "new engine", "scopes": ["ingest", "read"]}
    answer = anna.post(url(ApiKey, "add"), body, follow=True)
    page = answer.content.decode()
    key = ApiKey.objects.get(name="new engine")
    assert f"awf_{key.prefix}_" in page
    text = page[page.index(f"awf_{key.prefix}_") :][: len(f"awf_{key.prefix}_") + 48]
    assert text not in anna.get(url(ApiKey, "changelist")).content.decode()
    assert last_audit().verb == "issued"
    assert text not in json.dumps(list(AuditEntry.objects.values("before", "after")))
    client = Client(headers={"Authorization": f"Bearer {text}"})
    assert client.get("/api/v1/incidents").status_code == 200
    chosen = {"action": "revoke", "_selected_action": [str(key.pk)]}
    assert client.get("/api/v1/incidents").status_code == 200, "nothing before the reason is given"
    anna.post(url(ApiKey, "changelist"), chosen | {"confirmed": "1", "reason": "Leaked."})
    assert client.get("/api/v1/incidents").status_code == 401
    assert last_audit().verb == "revoked"


def test_a_key_is_never_edited(anna: Client, world: World) -> None:
    body = {"name": "renamed", "scopes": ["admin"], "tenant": str(world.tenant.pk)}
    anna.post(url(ApiKey, "change", world.key.pk), body)
    world.key.refresh_from_db()
    assert (world.key.name, world.key.scopes) == ("engine", ["ingest"])


@pytest.mark.parametrize(
    "bad", [{"scopes": []}, {"name": ""}, {"expires_at_0": "2020-01-01", "expires_at_1": "00:00"}]
)
def test_a_bad_key_is_refused(anna: Client, world: World, bad: dict[str, Any]) -> None:
    body = {"tenant": str(world.tenant.pk), "name": "k", "scopes": ["ingest"]} | bad
    assert anna.post(url(ApiKey, "add"), body).status_code == 200
    assert ApiKey.objects.count() == 1


def test_a_member_is_added_changed_and_removed_with_an_entry_each(
    boss: Client, world: World
) -> None:
    user = User.objects.create_user("vera")
    body = {"tenant": str(world.tenant.pk), "user": str(user.pk), "role": "viewer"}
    assert boss.post(url(Membership, "add"), body).status_code == 302
    membership = Membership.objects.get(user=user)
    boss.post(url(Membership, "change", membership.pk), {"role": "admin"})
    assert last_audit().after == {"role": "admin"}
    boss.post(url(Membership, "delete", membership.pk), {"post": "yes"})
    assert not Membership.objects.filter(user=user).exists()
    entry = last_audit()
    assert (entry.verb, entry.before["role"]) == ("deleted", "admin")


def test_deleting_many_at_once_is_audited_too(boss: Client, world: World) -> None:
    rules = list(EventTypeRule.objects.all()[:2])
    body = {
        "action": "delete_selected", "_selected_action": [str(r.pk) for r in rules]
    }  # fmt: skip
    asked = boss.post(url(EventTypeRule, "changelist"), body | {"confirmed": "1", "reason": " "})
    assert "Say why" in asked.content.decode()
    assert EventTypeRule.objects.filter(pk__in=[r.pk for r in rules]).count() == 2
    boss.post(url(EventTypeRule, "changelist"), body | {"confirmed": "1", "reason": "Old."})
    assert not EventTypeRule.objects.filter(pk__in=[r.pk for r in rules]).exists()
    assert AuditEntry.objects.filter(verb="deleted", comment="Old.").count() == 2


def test_a_new_password_is_audited_without_the_password(boss: Client, world: World) -> None:
    body = {"password1": "Corr3ct-horse!", "password2": "Corr3ct-horse!", "usable_password": "true"}
    boss.post(f"/admin/auth/user/{world.admin.pk}/password/", body)
    world.admin.refresh_from_db()
    assert world.admin.check_password("Corr3ct-horse!")
    entry = last_audit()
    assert (entry.actor, entry.after) == ("boss", {"password": "[set anew]"})


def rule_body(**fields: str) -> dict[str, str]:
    policy = RetryPolicy.objects.filter(tenant=None, kind="exponential").first()
    assert policy is not None
    return {
        "severity": "high", "category": "unknown", "retry_policy": str(policy.pk), "position": "1"
    } | fields  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "refused"),
    [
        ("(?i)deadlock found", ""),
        ("(a+)+$", ""),
        (r"(.)\1", "Not a usable RE2 pattern"),
        ("(?=x)", "Not a usable RE2 pattern"),
        ("[", "Not a usable RE2 pattern"),
        ("x*", "Fits every message"),
        ("a" * 513, "at most 512"),
        ("a{1000}{1000}", "Not a usable RE2 pattern"),
    ],
)
def test_a_message_pattern_is_tried_before_it_is_saved(
    boss: Client, world: World, pattern: str, refused: str
) -> None:
    answer = boss.post(url(MessagePattern, "add"), rule_body(name="mine", pattern=pattern))
    assert (answer.status_code == 200) is bool(refused)
    assert MessagePattern.objects.filter(name="mine").exists() is not bool(refused)
    if refused:
        assert refused in answer.content.decode()


def test_an_error_code_is_stored_in_its_one_spelling_and_once(boss: Client, world: World) -> None:
    assert boss.post(url(ErrorCode, "add"), rule_body(code="Rate-Limit Hit")).status_code == 302
    row = ErrorCode.objects.get(code="rate_limit_hit")
    again = boss.post(url(ErrorCode, "add"), rule_body(code="RateLimitHit"))
    assert again.status_code == 200
    assert ErrorCode.objects.filter(code="rate_limit_hit").count() == 1
    other = ErrorCode.objects.exclude(pk=row.pk).filter(tenant=None).first()
    assert other is not None
    renamed = boss.post(url(ErrorCode, "change", row.pk), rule_body(code=other.code))
    assert renamed.status_code == 200, "a change to a taken code is refused by the form"
    assert boss.post(url(ErrorCode, "add"), rule_body(code="--")).status_code == 200


@pytest.mark.parametrize("pattern", ["*", "*.*", "Failed", "a b", ""])
def test_an_event_type_never_means_all(boss: Client, world: World, pattern: str) -> None:
    body = {"pattern": pattern, "kind": "failure", "position": "1"}
    assert boss.post(url(EventTypeRule, "add"), body).status_code == 200


def test_an_edited_rule_holds_at_once_in_this_process(boss: Client, world: World) -> None:
    assert event_kind(world.tenant.pk, "work.exploded") == "info"
    body = {"pattern": "*.exploded", "kind": "failure", "position": "1"}
    assert boss.post(url(EventTypeRule, "add"), body).status_code == 302
    assert event_kind(world.tenant.pk, "work.exploded") == "failure"


@pytest.mark.parametrize(
    "bad",
    [
        {"initial_delay_seconds": "10", "max_delay_seconds": "5"},
        {"kind": "none"},
        {"max_retries": "0"},
        {"max_retries": "21"},
        {"jitter_ratio": "1.5"},
        {"multiplier": "0.5"},
        {"name": "two words"},
    ],
)
def test_a_retry_policy_that_cannot_be_is_refused(
    boss: Client, world: World, bad: dict[str, str]
) -> None:
    good = {
        "name": "p1", "kind": "exponential", "max_retries": "3", "initial_delay_seconds": "1",
        "max_delay_seconds": "60", "multiplier": "2", "jitter_ratio": "0.2",
    }  # fmt: skip
    assert boss.post(url(RetryPolicy, "add"), good | bad).status_code == 200
    assert boss.post(url(RetryPolicy, "add"), good).status_code == 302


@pytest.mark.parametrize(
    "bad",
    [
        {"confidence_threshold": "-1"},
        {"confidence_threshold": "1.1"},
        {"confidence_thresholds_0": "[1]"},
        {"confidence_thresholds_1": "0"},
        {"confidence_thresholds_0": "nan"},
        {"confidence_thresholds_0": "1.1"},
        {"max_attempts": "0"},
        {"max_actions_per_day": "0"},
        {"max_incident_retries_per_day": "1001"},
        {"max_workflow_retries_per_hour": "0"},
        {"max_vendor_retries_per_hour": ""},
        {"recurrence_seconds": "86401"},
        {"max_ineffective": "0"},
        {"expires_at_0": "tomorrow"},
    ],
)
def test_an_automation_policy_outside_its_bounds_is_refused(
    anna: Client, world: World, bad: dict[str, str]
) -> None:
    page = url(AutomationPolicy, "change", world.policy.pk)
    body = POLICY | {"workflow": str(world.workflow.pk), "confidence_thresholds_0": "0.9"}
    assert anna.post(page, body | bad).status_code == 200
    assert anna.post(page, body).status_code == 302


def test_a_kill_switch_is_engaged_and_released_through_the_services(
    anna: Client, world: World
) -> None:
    """With the person's name, an audit entry each, and a reason for the release."""
    body = {
        "tenant": str(world.tenant.pk), "scope": "vendor", "vendor": "stripe",
        "blocks": "automation", "reason": "outage",
    }  # fmt: skip
    assert anna.post(url(KillSwitch, "add"), body).status_code == 302
    switch = KillSwitch.objects.get(scope="vendor")
    assert (switch.engaged_by, last_audit().verb) == (world.admin.username, "engaged")
    page = url(KillSwitch, "change", switch.pk)
    assert anna.post(page, {"release_reason": "  "}).status_code == 200
    forged = {"release_reason": "over", "vendor": "adyen", "reason": "", "expires_at_0": ""}
    assert anna.post(page, forged).status_code == 302
    switch.refresh_from_db()
    assert (switch.release_reason, switch.vendor, switch.reason) == ("over", "stripe", "outage")
    assert (switch.released_by, last_audit().verb) == (world.admin.username, "released")
    assert anna.get(page).status_code == 200
    assert anna.post(page, {"release_reason": "again"}).status_code == 403


@pytest.mark.parametrize(
    "bad",
    [
        {"scope": "vendor"},
        {"scope": "workflow"},
        {"scope": "tenant", "vendor": "stripe"},
        {"scope": "tenant", "expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
    ],
)
def test_a_kill_switch_without_its_target_is_refused(
    anna: Client, world: World, bad: dict[str, str]
) -> None:
    body = {"tenant": str(world.tenant.pk), "blocks": "automation"} | bad
    assert anna.post(url(KillSwitch, "add"), body).status_code == 200
    assert KillSwitch.objects.count() == 1


def test_an_expired_switch_cannot_be_changed(anna: Client, world: World) -> None:
    KillSwitch.objects.filter(pk=world.switch.pk).update(
        expires_at=timezone.now() + timezone.timedelta(hours=1)
    )
    with time_machine.travel(timezone.now() + timezone.timedelta(hours=2), tick=False):
        page = url(KillSwitch, "change", world.switch.pk)
        client = Client()
        client.force_login(world.admin)
        assert client.post(page, {"release_reason": "late"}).status_code == 403


def test_a_new_tenant_is_the_superusers_to_make(boss: Client, world: World) -> None:
    body = {"name": "Third", "is_active": "on", "events_per_minute": "100"}
    assert boss.post(url(Tenant, "add"), body).status_code == 302
    tenant = Tenant.objects.get(name="Third")
    entry = last_audit()
    assert (entry.tenant_id, entry.verb, entry.after["events_per_minute"]) == (
        tenant.pk, "created", 100,
    )  # fmt: skip


@pytest.mark.parametrize("bad", ["0", "-1", "1000001", "", "many"])
def test_a_limit_outside_its_range_is_refused(boss: Client, world: World, bad: str) -> None:
    """Of a tenant's events and of a vendor's: to let nothing in there is the kill switch."""
    body = {"name": world.tenant.name, "is_active": "on", "events_per_minute": bad}
    assert boss.post(url(Tenant, "change", world.tenant.pk), body).status_code == 200
    body = {"name": world.vendor.name, "failure_threshold": "10", "open_seconds": "300"}
    page = url(Vendor, "change", world.vendor.pk)
    assert boss.post(page, body | {"requests_per_minute": bad}).status_code == 200
    world.tenant.refresh_from_db()
    world.vendor.refresh_from_db()
    limits = world.tenant.events_per_minute, world.vendor.requests_per_minute
    assert limits == (60_000, 600)


@pytest.mark.parametrize(
    ("knob", "bad"),
    [
        ("failure_threshold", "1001"), ("open_seconds", "0"), ("open_seconds", "86401"),
        ("window_seconds", "3601"), ("minimum_calls", "1000001"), ("failure_ratio", "1.5"),
        ("slow_call_ms", "3600001"), ("half_open_probes", "101"), ("probe_seconds", "0"),
        ("release_per_second", "1001"), ("on_open", "drop"),
    ],
)  # fmt: skip
def test_a_breaker_that_no_file_could_hold_is_refused(
    boss: Client, world: World, knob: str, bad: str
) -> None:
    """Else an export could not be read back: the form's limits are those of the files.

    Seen red with a form that does not ask the files: six of these were stored.
    """
    body = {"name": world.vendor.name, "failure_threshold": "10", "open_seconds": "300"}
    body |= {"requests_per_minute": "600", knob: bad}
    page = boss.post(url(Vendor, "change", world.vendor.pk), body)
    assert page.status_code == 200
    assert knob in page.context["adminform"].form.errors
    before = world.vendor.policy()
    world.vendor.refresh_from_db()
    assert world.vendor.policy() == before


def test_an_edited_limit_holds_for_the_next_event(boss: Client, anna: Client, world: World) -> None:
    """Audited with before and after; read with each request, so it needs no restart."""
    _, key = issue_key(
        tenant=world.tenant, name="k", scopes=["ingest"], actor=MACHINE, now=timezone.now()
    )
    sender = Client(headers={"Authorization": f"Bearer {key}"})

    def post(number: int) -> Any:
        event = {
            "tenant_id": str(world.tenant.pk), "workflow_id": str(world.workflow.pk),
            "event_type": "work.failed", "payload": {"vendor": world.vendor.name},
            "idempotency_key": f"limit-{number}", "occurred_at": timezone.now().isoformat(),
            "schema_version": "1.0.0",
        }  # fmt: skip
        return sender.post("/api/v1/events", event, content_type="application/json")

    assert post(1).headers["RateLimit-Limit"] == "600"
    body = {"name": world.vendor.name, "failure_threshold": "10", "open_seconds": "300"}
    body |= {"requests_per_minute": "2"}
    assert anna.post(url(Vendor, "change", world.vendor.pk), body).status_code == 302
    entry = last_audit()
    assert (entry.actor, entry.before, entry.after) == (
        world.admin.username, {"requests_per_minute": 600}, {"requests_per_minute": 2},
    )  # fmt: skip
    assert [post(number).status_code for number in (2, 3)] == [201, 429]
    body = {"name": world.tenant.name, "is_active": "on", "events_per_minute": "1"}
    assert boss.post(url(Tenant, "change", world.tenant.pk), body).status_code == 302
    entry = last_audit()
    assert (entry.before, entry.after) == ({"events_per_minute": 60_000}, {"events_per_minute": 1})
    refused = post(4)
    assert (refused.status_code, refused.headers["RateLimit-Limit"]) == (429, "1")


def test_the_standby_secret_is_kept_like_the_other(anna: Client, world: World) -> None:
    """Written and not read, empty keeps it; saving the form does not end a failover."""
    page = url(Workflow, "change", world.workflow.pk)
    standby = {"standby_retry_url": "http://127.0.0.1:9100/y", "standby_retry_secret": SECRET}
    assert anna.post(page, workflow_body(world, **standby)).status_code == 302
    assert last_audit().after["standby_retry_secret"] == "[set anew]"
    Workflow.objects.update(failed_over_at=timezone.now())
    assert SECRET not in anna.get(page).content.decode()
    standby["standby_retry_secret"] = ""
    assert anna.post(page, workflow_body(world, **standby)).status_code == 302
    world.workflow.refresh_from_db()
    assert (world.workflow.standby_retry_secret, world.workflow.engine) == (SECRET, "standby")
    bad = workflow_body(world, **standby | {"standby_retry_secret": "plain"})
    assert anna.post(page, bad).status_code == 200
    assert SECRET not in json.dumps(list(AuditEntry.objects.values("before", "after")))
