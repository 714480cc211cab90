"""Who changed a rule and when; an earlier state is written again through the same checks [S11]."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from awfdrs_site.kernel.models import AuditEntry
from safety.models import AutomationPolicy, ErrorCode, RetryPolicy
from safety.rule_files import read_default_rules
from safety.rule_history import versions_of
from safety.services import import_rules
from tests.admin.conftest import POLICY, World
from tests.admin.test_pages import url


def policy_body(world: World, **fields: str) -> dict[str, str]:
    return POLICY | {"workflow": str(world.workflow.pk)} | fields


@pytest.fixture
def edited(anna: Client, world: World) -> AutomationPolicy:
    """The world's policy after two edits."""
    page = url(AutomationPolicy, "change", world.policy.pk)
    for fields in ({"max_attempts": "3"}, {"max_attempts": "2", "cooldown_seconds": "60"}):
        assert anna.post(page, policy_body(world, **fields)).status_code == 302
    world.policy.refresh_from_db()
    return world.policy


def restore(client: Client, row: Any, index: int, newest: int = 0) -> Any:
    versions = versions_of(row)
    body = {"restore": str(versions[index].entry_id), "newest": str(versions[newest].entry_id)}
    return client.post(url(type(row), "history", row.pk), body, follow=True)


def test_it_shows_who_changed_what_from_what_to_what(
    anna: Client, world: World, edited: AutomationPolicy
) -> None:
    newest, first, original = versions_of(edited)
    assert {name: (was, now) for name, was, now in newest.changes} == {
        "max_attempts": (3, 2), "cooldown_seconds": (300, 60)
    }  # fmt: skip
    assert (newest.values["cooldown_seconds"], first.values["cooldown_seconds"]) == (60, 300)
    assert (first.values["max_attempts"], original.values["max_attempts"]) == (3, 5)
    page = anna.get(url(AutomationPolicy, "history", edited.pk)).content.decode()
    assert page.count("<dt>Max attempts</dt>") == 2
    assert re.search("Cooldown seconds</dt>.*<del>300</del>.*<ins>60</ins>", page)
    assert world.admin.username in page


def test_an_earlier_state_is_written_again_and_audited(
    anna: Client, edited: AutomationPolicy
) -> None:
    assert "is as it was then" in restore(anna, edited, 1).content.decode()
    edited.refresh_from_db()
    assert (edited.max_attempts, edited.cooldown_seconds) == (3, 300)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.before) == ("restored", {"max_attempts": 2, "cooldown_seconds": 60})
    assert len(versions_of(edited)) == 4


def test_the_state_before_the_first_change_can_be_had_again(
    anna: Client, edited: AutomationPolicy
) -> None:
    restore(anna, edited, 2)
    edited.refresh_from_db()
    assert (edited.max_attempts, edited.cooldown_seconds) == (5, 300)


def test_a_stale_restore_changes_nothing(anna: Client, edited: AutomationPolicy) -> None:
    """Somebody else changed the rule after the page was opened. Seen red without the check."""
    assert "changed meanwhile" in restore(anna, edited, 1, newest=1).content.decode()
    edited.refresh_from_db()
    assert edited.max_attempts == 2


def test_a_state_that_cannot_be_any_more_is_refused(boss: Client, world: World) -> None:
    """The retry policy it named was deleted since."""
    policy = RetryPolicy.objects.create(name="old", max_retries=2)
    code = ErrorCode.objects.get(code="payment_timeout")
    other = code.retry_policy
    page = url(ErrorCode, "change", code.pk)
    for chosen in (policy, other):
        body = {
            "code": code.code, "severity": code.severity, "category": code.category,
            "retry_policy": str(chosen.pk), "recommended_action": "", "description": "",
        }  # fmt: skip
        assert boss.post(page, body).status_code == 302
    policy.delete()
    assert "cannot be any more" in restore(boss, code, 1).content.decode()
    code.refresh_from_db()
    assert code.retry_policy == other


def test_a_tenants_admin_reads_a_defaults_history_and_restores_none(
    anna: Client, boss: Client, world: World
) -> None:
    code = ErrorCode.objects.get(code="payment_timeout")
    rules = read_default_rules()
    changed = tuple(replace(rule, severity="low") for rule in rules.error_codes)
    import_rules(ruleset=replace(rules, error_codes=changed))
    version, _ = versions_of(code)
    assert (version.actor, version.comment) == ("automation", "rules import")
    import_rules(ruleset=rules)
    page = url(ErrorCode, "history", code.pk)
    assert "Restore" not in anna.get(page).content.decode()
    assert anna.post(page, {"restore": "1", "newest": "1"}).status_code == 403
    code.refresh_from_db()
    assert code.severity == "high"
    restore(boss, code, 1)
    code.refresh_from_db()
    assert code.severity == "low"


@pytest.mark.parametrize(
    ("field", "value"), [("confidence_threshold", "0"), ("cooldown_seconds", "99999")]
)
def test_a_form_has_the_limits_of_the_files(
    anna: Client, world: World, field: str, value: str
) -> None:
    """Else an edited rule could not be exported and read back."""
    page = url(AutomationPolicy, "change", world.policy.pk)
    answer = anna.post(page, policy_body(world, **{field: value}))
    assert answer.status_code == 200
    assert "Must be between" in answer.content.decode()


def test_an_end_and_a_line_of_its_own_survive_a_restore(anna: Client, world: World) -> None:
    """What the form shows in two boxes or as JSON is posted as it would be."""
    page = url(AutomationPolicy, "change", world.policy.pk)
    ends = {"expires_at_0": "2030-01-01", "expires_at_1": "12:00:00"}
    first = policy_body(world, confidence_thresholds_0="0.9", **ends)
    for body in (first, policy_body(world)):
        assert anna.post(page, body).status_code == 302
    assert "is as it was then" in restore(anna, world.policy, 1).content.decode()
    policy = AutomationPolicy.objects.get(pk=world.policy.pk)
    assert policy.confidence_thresholds == {"retry": 0.9}
    assert policy.expires_at == datetime(2030, 1, 1, 12, tzinfo=UTC)
