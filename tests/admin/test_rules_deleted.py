"""A deleted rule comes back as it was, under its id, by who could have typed it in [S11]."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from awfdrs_site.kernel.models import AuditEntry
from safety.models import AutomationPolicy, ErrorCode, RetryPolicy
from safety.rule_history import deletions_of, versions_of
from safety.selectors import rules_for
from tests.admin.conftest import POLICY, World
from tests.admin.test_pages import url

RULE = {"severity": "low", "category": "unknown", "recommended_action": "", "description": ""}


@pytest.fixture
def code(anna: Client, world: World) -> ErrorCode:
    """An error code of the world's own, added by its admin."""
    policy = RetryPolicy.objects.create(tenant=world.tenant, name="mine", max_retries=2)
    body = RULE | {"tenant": str(world.tenant.pk), "code": "our_code", "escalate": "on"}
    assert anna.post(url(ErrorCode, "add"), body | {"retry_policy": policy.pk}).status_code == 302
    return ErrorCode.objects.get(code="our_code")


def delete(client: Client, row: Any) -> AuditEntry:
    """Delete the row by its page; the entry that says so."""
    assert client.post(url(type(row), "delete", row.pk), {"post": "yes"}).status_code == 302
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.subject_id) == ("deleted", str(row.pk))
    return entry


def restore(client: Client, model: Any, entry: AuditEntry | int | str) -> Any:
    chosen = entry.pk if isinstance(entry, AuditEntry) else entry
    return client.post(url(model, "deleted"), {"restore": chosen})


def test_a_deleted_rule_is_listed_and_comes_back_as_it_was(
    anna: Client, world: World, code: ErrorCode
) -> None:
    """Under its id, so that its history goes on; in force at once; audited."""
    assert "Deleted error codes" in anna.get(url(ErrorCode, "changelist")).content.decode()
    entry = delete(anna, code)
    page = anna.get(url(ErrorCode, "deleted")).content.decode()
    assert "code: our_code" in page
    assert f'value="{entry.pk}"' in page
    assert rules_for(world.tenant.pk).failure_of_code("our_code") is None
    assert restore(anna, ErrorCode, entry).status_code == 302
    back = ErrorCode.objects.get(pk=code.pk)
    assert (back.code, back.tenant, back.escalate) == ("our_code", world.tenant, True)
    assert back.retry_policy == code.retry_policy
    assert rules_for(world.tenant.pk).failure_of_code("our_code") is not None
    newest = AuditEntry.objects.latest("pk")
    assert (newest.verb, newest.actor, newest.before) == ("restored", world.admin.username, None)
    assert newest.after["code"] == "our_code"
    assert [one.verb for one in versions_of(back)] == ["restored", "deleted", "created"]
    assert "our_code" not in anna.get(url(ErrorCode, "deleted")).content.decode()


def test_a_policy_of_a_workflow_comes_back_with_its_end_and_lines(
    anna: Client, world: World
) -> None:
    """What the form shows in two boxes or as JSON is posted as it would be."""
    page = url(AutomationPolicy, "change", world.policy.pk)
    body = POLICY | {"workflow": str(world.workflow.pk), "dry_run": "on"}
    body |= {"confidence_thresholds_0": "0.9"}
    body |= {"expires_at_0": "2100-01-01", "expires_at_1": "12:00:00"}
    assert anna.post(page, body).status_code == 302
    was = AutomationPolicy.objects.get(pk=world.policy.pk)
    assert restore(anna, AutomationPolicy, delete(anna, was)).status_code == 302
    back = AutomationPolicy.objects.get(pk=was.pk)
    values = [field.attname for field in AutomationPolicy._meta.concrete_fields]
    assert [getattr(back, n) for n in values] == [getattr(was, n) for n in values]


def test_it_comes_back_once(anna: Client, code: ErrorCode) -> None:
    entry = delete(anna, code)
    assert restore(anna, ErrorCode, entry).status_code == 302
    again = restore(anna, ErrorCode, entry)
    assert again.status_code == 409
    assert "is there again" in again.content.decode()
    newer = delete(anna, code)
    assert restore(anna, ErrorCode, entry).status_code == 409, "an older deletion"
    assert [one.pk for one in deletions_of(ErrorCode, None)] == [newer.pk]


def test_a_rule_of_the_same_key_is_not_written_over(anna: Client, code: ErrorCode) -> None:
    entry = delete(anna, code)
    body = RULE | {"tenant": str(code.tenant_id), "code": "our_code", "severity": "critical"}
    body |= {"retry_policy": str(code.retry_policy_id)}
    assert anna.post(url(ErrorCode, "add"), body).status_code == 302
    refused = restore(anna, ErrorCode, entry)
    assert refused.status_code == 409
    assert "already exists" in refused.content.decode()
    assert ErrorCode.objects.get(code="our_code").severity == "critical"


def test_what_it_named_must_still_be_there(anna: Client, code: ErrorCode) -> None:
    """The policy it named was deleted too; once that is back, so can the rule be."""
    policy = code.retry_policy
    entry, gone = delete(anna, code), delete(anna, policy)
    refused = restore(anna, ErrorCode, entry)
    assert refused.status_code == 409
    assert "retry_policy: " in refused.content.decode()
    assert restore(anna, RetryPolicy, gone).status_code == 302
    assert restore(anna, ErrorCode, entry).status_code == 302
    assert ErrorCode.objects.get(pk=code.pk).retry_policy == policy


def test_limits_that_hold_now_hold_for_what_is_restored(anna: Client, world: World) -> None:
    """A policy from before its limits: no file could hold it. Seen red without the form."""
    AutomationPolicy.objects.filter(pk=world.policy.pk).update(cooldown_seconds=99_999)
    refused = restore(anna, AutomationPolicy, delete(anna, world.policy))
    assert refused.status_code == 409
    assert "Must be between" in refused.content.decode()
    assert not AutomationPolicy.objects.filter(pk=world.policy.pk).exists()


@pytest.mark.parametrize("chosen", ["", "x", "-1", "0", "٣", "9" * 30])
def test_what_was_never_deleted_is_404(anna: Client, code: ErrorCode, chosen: str) -> None:
    assert restore(anna, ErrorCode, chosen).status_code == 404


def test_an_entry_of_another_kind_is_404(anna: Client, code: ErrorCode) -> None:
    """A creation, and a deletion from another table."""
    assert restore(anna, ErrorCode, AuditEntry.objects.latest("pk")).status_code == 404
    assert restore(anna, RetryPolicy, delete(anna, code)).status_code == 404


def test_another_tenants_admin_sees_and_restores_nothing(
    anna: Client, boss: Client, world: World, other: World, code: ErrorCode
) -> None:
    """Seen red without the tenant in `deletions_of`, and without it in `_deletion`."""
    entry = delete(anna, code)
    theirs = Client()
    theirs.force_login(other.admin)
    assert "our_code" not in theirs.get(url(ErrorCode, "deleted")).content.decode()
    before = AuditEntry.objects.count()
    assert restore(theirs, ErrorCode, entry).status_code == 404
    assert AuditEntry.objects.count() == before
    assert restore(boss, ErrorCode, entry).status_code == 302


def test_a_deleted_default_is_the_superusers(anna: Client, boss: Client, world: World) -> None:
    default = ErrorCode.objects.get(code="payment_timeout")
    entry = delete(boss, default)
    assert "payment_timeout" not in anna.get(url(ErrorCode, "deleted")).content.decode()
    assert restore(anna, ErrorCode, entry).status_code == 404
    assert restore(boss, ErrorCode, entry).status_code == 302
    assert ErrorCode.objects.get(pk=default.pk).tenant is None


@pytest.mark.parametrize("role", ["viewer", "responder"])
def test_only_the_admin_role_opens_it(
    anna: Client, world: World, code: ErrorCode, role: str
) -> None:
    entry = delete(anna, code)
    world.membership.role = role
    world.membership.save()
    assert anna.get(url(ErrorCode, "deleted")).status_code == 403
    assert restore(anna, ErrorCode, entry).status_code == 403
