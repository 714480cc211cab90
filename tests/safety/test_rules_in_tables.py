"""Rules from files to rows to what decisions use, with a tenant's own before the defaults."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.kernel.problem import Problem
from safety import rule_rows
from safety.models import (
    AutomationPolicy,
    ErrorCode,
    EventTypeRule,
    MessagePattern,
    RetryPolicy,
    Vendor,
)
from safety.rule_diff import differences
from safety.rule_export import to_files
from safety.rule_files import read_default_rules
from safety.rule_types import Ruleset
from safety.ruleset import parse
from safety.selectors import event_kind, forget_rules, policy_for, rules_for, vendor_for
from safety.services import ensure_default_rules, import_rules
from tests.builders import a_tenant, a_workflow
from tests.pure.strategies import automation_rules, vendor_rules

pytestmark = pytest.mark.django_db
vendor_and_automation = st.builds(
    lambda vendor, automation, ends: Ruleset(
        vendors=(replace(vendor, name="stripe"),),
        automation=(replace(automation, expires_at=ends),),
    ),
    vendor_rules,
    automation_rules,
    # One that has ended is not in force, so it is not read back.
    st.none() | st.datetimes(datetime(2100, 1, 1), timezones=st.just(UTC)),
)
TABLES = (RetryPolicy, ErrorCode, MessagePattern, EventTypeRule, AutomationPolicy, Vendor)


def counts() -> list[int]:
    return [table.objects.count() for table in TABLES]


def test_it_imports_the_default_rules_once() -> None:
    """A second import changes nothing and audits nothing."""
    rules = read_default_rules()
    changed = import_rules(ruleset=rules)
    assert len(changed["error codes"]) == len(rules.error_codes)
    before, audited = counts(), AuditEntry.objects.count()
    assert import_rules(ruleset=rules) == {}
    assert (counts(), AuditEntry.objects.count()) == (before, audited)


def test_what_is_read_back_is_what_was_imported() -> None:
    """File → rows → Ruleset loses nothing (a tenant's vendors included)."""
    tenant = a_tenant()
    rules = read_default_rules()
    import_rules(ruleset=rules, tenant=tenant)
    back = rules_for(tenant.pk)
    for name in ("error_codes", "retry_policies", "vendors", "automation"):
        assert set(getattr(back, name)) == set(getattr(rules, name)), name
    # Here the order is part of the meaning: the first match wins.
    assert back.message_patterns == rules.message_patterns
    assert back.event_types == rules.event_types


@settings(deadline=None, max_examples=20)
@given(old=vendor_and_automation, new=vendor_and_automation)
def test_any_vendor_and_policy_goes_through_the_tables_and_back(old: Ruleset, new: Ruleset) -> None:
    """Written over others, read back, exported, compared: every value is the file's."""
    with transaction.atomic():
        tenant = a_tenant()
        rule_rows.store(old, tenant)
        rule_rows.store(new, tenant)
        back = rule_rows.load(tenant.pk)
        transaction.set_rollback(True)
    assert (back.vendors, back.automation) == (new.vendors, new.automation)
    assert differences(parse(to_files(back)), new) == []


def test_it_writes_over_only_what_differs_and_deletes_nothing() -> None:
    import_rules(ruleset=read_default_rules())
    own = ErrorCode.objects.create(code="our_code", retry_policy=RetryPolicy.objects.first())
    code = ErrorCode.objects.exclude(pk=own.pk).first()
    assert code is not None
    ErrorCode.objects.filter(pk=code.pk).update(description="edited")
    assert import_rules(ruleset=read_default_rules()) == {"error codes": [code.code]}
    assert ErrorCode.objects.filter(pk=own.pk).exists()


def test_starting_again_keeps_what_an_administrator_edited() -> None:
    """`ensure_default_rules` imports into an empty table only."""
    assert ensure_default_rules()
    ErrorCode.objects.update(description="edited")
    assert not ensure_default_rules()
    assert not ErrorCode.objects.exclude(description="edited").exists()


def test_a_tenants_own_rule_wins_over_the_default_and_stays_its_own() -> None:
    ensure_default_rules()
    tenant, other = a_tenant(), a_tenant()
    default = ErrorCode.objects.get(code="payment_timeout")
    careful = RetryPolicy.objects.create(tenant=tenant, name="mine", max_retries=1)
    ErrorCode.objects.create(
        tenant=tenant, code="payment_timeout", severity="low", retry_policy=careful
    )
    forget_rules()
    mine = rules_for(tenant.pk).failure_of_code("Payment-Timeout")
    theirs = rules_for(other.pk).failure_of_code("payment_timeout")
    assert mine is not None and theirs is not None
    assert (mine.severity, mine.retry_policy) == ("low", "mine")
    assert (theirs.severity, theirs.retry_policy) == (default.severity, default.retry_policy.name)
    assert rules_for(other.pk).policy("mine") is None


@pytest.mark.parametrize(
    ("event_type", "kind"),
    [
        ("payment.capture.failed", "failure"),
        ("payment.capture.timed_out", "failure"),
        ("payment.capture.succeeded", "success"),
        ("deploy.started", "change"),
        ("payment.noted", "info"),
    ],
)
def test_it_knows_what_an_event_type_means(event_type: str, kind: str) -> None:
    ensure_default_rules()
    assert event_kind(a_tenant().pk, event_type) == kind


def test_an_edited_rule_holds_after_at_most_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process's edit is seen once the copy is older than RULES_SECONDS."""
    ensure_default_rules()
    tenant = a_tenant()
    assert event_kind(tenant.pk, "work.exploded") == "info"
    EventTypeRule.objects.create(pattern="*.exploded", kind="failure", position=1)
    monkeypatch.setattr("safety.selectors.RULES_SECONDS", -1.0)
    assert event_kind(tenant.pk, "work.exploded") == "failure"


def test_without_rules_everything_is_information() -> None:
    forget_rules()
    assert event_kind(a_tenant().pk, "work.failed") == "info"


def test_the_narrowest_automation_policy_holds() -> None:
    """Workflow before tenant before default before the fields' own defaults."""
    workflow = a_workflow()
    tenant = workflow.tenant
    assert policy_for(tenant.pk, workflow.pk).confidence_threshold == 0.8
    for threshold, owner in ((0.7, {}), (0.6, {"tenant": tenant}), (0.5, {"workflow": workflow})):
        fields: dict[str, Any] = {"tenant": tenant} | owner if "workflow" in owner else owner
        AutomationPolicy.objects.create(confidence_threshold=threshold, **fields)
        assert policy_for(tenant.pk, workflow.pk).confidence_threshold == threshold
    other = a_workflow()
    assert policy_for(other.tenant_id, other.pk).confidence_threshold == 0.7


def test_a_vendor_is_found_in_any_case_and_only_in_its_tenant() -> None:
    tenant = a_tenant()
    vendor = Vendor.objects.create(tenant=tenant, name="Stripe")
    assert vendor_for(tenant.pk, "stripe") == vendor
    assert vendor_for(a_tenant().pk, "stripe") is None
    assert vendor_for(tenant.pk, "") is None


def test_a_workflows_policy_needs_its_tenant(tmp_path: Path) -> None:
    """The defaults cannot name a workflow, a tenant's file only its own ones."""
    file = tmp_path / "rules.yaml"
    file.write_text("automation:\n  workflows:\n    payments.capture: {max_attempts: 2}\n")
    with pytest.raises(CommandError, match=r"No workflow 'payments\.capture'"):
        call_command("rules", "import", str(file))
    workflow = a_workflow(name="payments.capture")
    call_command("rules", "import", str(file), tenant=str(workflow.tenant_id), stdout=StringIO())
    assert policy_for(workflow.tenant_id, workflow.pk).max_attempts == 2


def test_the_command_reports_what_it_did() -> None:
    first, second = StringIO(), StringIO()
    call_command("rules", "import", stdout=first)
    call_command("rules", "import", stdout=second)
    assert "error codes: " in first.getvalue()
    assert second.getvalue() == "Nothing to change.\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("error_codes: {x: {severity: nope, retry_policy: p}}", "severity"),
        ("a: &x 1\nb: *x", "1"),
        ("", "Expected a mapping"),
    ],
)
def test_the_command_names_every_mistake_by_file_and_line(
    tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(CommandError) as refused:
        call_command("rules", "import", str(file))
    assert str(file) in str(refused.value)
    assert says in str(refused.value)
    assert counts() == [0] * len(TABLES)


def test_the_command_refuses_a_missing_file_and_an_unknown_tenant(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("rules", "import", str(tmp_path / "none.yaml"))
    with pytest.raises(CommandError, match="no tenant 'nobody'"):
        call_command("rules", "import", tenant="nobody")


def test_it_refuses_a_rule_whose_policy_is_not_there() -> None:
    rules = read_default_rules()
    with pytest.raises(Problem):
        import_rules(ruleset=replace(rules, retry_policies=()))
    assert counts() == [0] * len(TABLES)


def test_a_start_imports_only_into_an_empty_table() -> None:
    """`--if-none`, as `up` and a deployment call it."""
    said = StringIO()
    call_command("rules", "import", if_none=True, stdout=said)
    ErrorCode.objects.update(description="edited")
    call_command("rules", "import", if_none=True, stdout=said)
    assert said.getvalue() == "Imported config/rules.\nThere are rules already.\n"
    assert not ErrorCode.objects.exclude(description="edited").exists()
    with pytest.raises(CommandError):
        call_command("rules", "import", if_none=True, tenant="x")
