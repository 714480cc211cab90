"""Rules between the tables and the frozen `Ruleset` that decisions are made with [S1 S11]."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from awfdrs_site.kernel.problem import FieldError, invalid
from safety import rule_types as pure
from safety.models import (
    AutomationPolicy,
    ErrorCode,
    EventTypeRule,
    MessagePattern,
    RetryPolicy,
    Vendor,
)
from tenants.models import Tenant, Workflow

POSITION_STEP = 10
ANY = Q()
# Columns and rule call these the same; the map of thresholds is frozen in the rule.
_AUTOMATION_FIELDS = tuple(
    one.name
    for one in dataclasses.fields(pure.AutomationRule)
    if one.name not in ("workflow", "confidence_thresholds")
)
Row = TypeVar("Row", bound=Model)
# Told of each stored row that a write changes: the row, what the columns were, what they became.
Noted = Callable[[Model, dict[str, Any], dict[str, Any]], None]


def load(tenant_id: UUID | None) -> pure.Ruleset:
    """The tenant's rules: its own rows, and the default rows whose key it does not have.

    Without a tenant the defaults alone (a vendor is always a tenant's).
    """
    codes = _own_first(ErrorCode, tenant_id, "code", "retry_policy")
    patterns = _own_first(MessagePattern, tenant_id, "name", "retry_policy")
    types = _own_first(EventTypeRule, tenant_id, "pattern")
    policies = _own_first(RetryPolicy, tenant_id, "name")
    in_force = AutomationPolicy.in_force(timezone.now())
    automation = _own_first(AutomationPolicy, tenant_id, "workflow_id", "workflow", only=in_force)
    vendors = Vendor.objects.filter(tenant_id=tenant_id) if tenant_id else ()
    return pure.Ruleset(
        error_codes=tuple(_failure(row.code, row) for row in codes),
        retry_policies=tuple(_policy(row) for row in policies),
        vendors=tuple(_vendor(row) for row in vendors),
        message_patterns=tuple(
            pure.MessageRule(row.pattern, _failure(row.name, row))
            for row in sorted(patterns, key=lambda row: (row.position, row.name))
        ),
        event_types=tuple(
            pure.EventTypeRule(row.pattern, cast(pure.EventKind, row.kind))
            for row in sorted(types, key=lambda row: (row.position, row.pattern))
        ),
        automation=tuple(map(_automation, automation)),
    )


def _automation(row: AutomationPolicy) -> pure.AutomationRule:
    return pure.AutomationRule(
        workflow=row.workflow.name if row.workflow else "",
        confidence_thresholds=tuple(sorted(row.confidence_thresholds.items())),
        **{name: getattr(row, name) for name in _AUTOMATION_FIELDS},
    )


def _automation_fields(rule: pure.AutomationRule) -> dict[str, Any]:
    plain = {name: getattr(rule, name) for name in _AUTOMATION_FIELDS}
    return plain | {"confidence_thresholds": dict(rule.confidence_thresholds)}


def _own_first(
    model: type[Row], tenant_id: UUID | None, key: str, *related: str, only: Q = ANY
) -> list[Row]:
    rows = _all(model).filter(only, Q(tenant_id=tenant_id) | Q(tenant=None))
    found: dict[Any, Row] = {}
    for row in rows.select_related(*related) if related else rows:
        if row.tenant_id is not None or getattr(row, key) not in found:  # type: ignore[attr-defined]
            found[getattr(row, key)] = row
    return list(found.values())


def _failure(name: str, row: ErrorCode | MessagePattern) -> pure.FailureRule:
    return pure.FailureRule(
        name=name,
        severity=cast(pure.Severity, row.severity),
        category=cast(pure.Category, row.category),
        retry_policy=row.retry_policy.name,
        escalate=row.escalate,
        recommended_action=row.recommended_action,
        description=row.description,
        plan=row.plan,
    )


def _policy(row: RetryPolicy) -> pure.RetryPolicy:
    names = (field.name for field in dataclasses.fields(pure.RetryPolicy))
    return pure.RetryPolicy(**{name: getattr(row, name) for name in names})


def _vendor(row: Vendor) -> pure.VendorRule:
    return pure.VendorRule(
        name=row.name,
        requests_per_minute=row.requests_per_minute,
        breaker=row.policy(),
        on_open=cast(pure.OnOpen, row.on_open),
        release_per_second=row.release_per_second,
    )


def as_ruleset(row: Model) -> tuple[str, pure.Ruleset]:
    """One rule row (saved or not) as the name of its section and a ruleset of it alone.

    The retry policy that a failure's rule names is in it too.
    """
    if isinstance(row, RetryPolicy):
        return "retry_policies", pure.Ruleset(retry_policies=(_policy(row),))
    if isinstance(row, EventTypeRule):
        kind = cast(pure.EventKind, row.kind)
        return "event_types", pure.Ruleset(event_types=(pure.EventTypeRule(row.pattern, kind),))
    if isinstance(row, AutomationPolicy):
        return "automation", pure.Ruleset(automation=(_automation(row),))
    if isinstance(row, Vendor):
        return "vendors", pure.Ruleset(vendors=(_vendor(row),))
    assert isinstance(row, ErrorCode | MessagePattern)
    policies = (_policy(row.retry_policy),)
    if isinstance(row, ErrorCode):
        codes = (_failure(row.code, row),)
        return "error_codes", pure.Ruleset(error_codes=codes, retry_policies=policies)
    patterns = (pure.MessageRule(row.pattern, _failure(row.name, row)),)
    return "message_patterns", pure.Ruleset(message_patterns=patterns, retry_policies=policies)


def store(
    ruleset: pure.Ruleset, tenant: Tenant | None, noted: Noted | None = None
) -> dict[str, list[str]]:
    """Write the rules over the tenant's rows (or the defaults) of the same keys.

    Returns what was new or differed, by table; nothing is deleted. The defaults have no vendors:
    a vendor is always a tenant's. Raises Problem 400 for a workflow or policy there is not.
    """
    changed = {
        "retry policies": _store_policies(ruleset.retry_policies, tenant, noted),
        "error codes": _store_failures(
            ErrorCode,
            "code",
            {rule.name: _all_but_name(rule) for rule in ruleset.error_codes},
            tenant,
            noted,
        ),
        "message patterns": _store_failures(
            MessagePattern, "name", _pattern_fields(ruleset.message_patterns), tenant, noted
        ),
        "event types": _store_event_types(ruleset.event_types, tenant, noted),
        "vendors": _store_vendors(ruleset.vendors, tenant, noted) if tenant else [],
        "automation": _store_automation(ruleset.automation, tenant, noted),
    }
    return {table: names for table, names in changed.items() if names}


def _store_policies(
    rules: Iterable[pure.RetryPolicy], tenant: Tenant | None, noted: Noted | None
) -> list[str]:
    fields = {rule.name: _all_but_name(rule) for rule in rules}
    return _upsert(RetryPolicy, "name", fields, tenant, noted)


def _all_but_name(rule: pure.RetryPolicy | pure.FailureRule) -> dict[str, Any]:
    fields = dataclasses.asdict(rule)
    del fields["name"]
    return fields


def _pattern_fields(rules: Iterable[pure.MessageRule]) -> dict[str, dict[str, Any]]:
    return {
        rule.failure.name: _all_but_name(rule.failure)
        | {"pattern": rule.pattern, "position": index * POSITION_STEP}
        for index, rule in enumerate(rules, 1)
    }


def _store_failures(
    model: type[Row],
    key: str,
    rules: Mapping[str, dict[str, Any]],
    tenant: Tenant | None,
    noted: Noted | None,
) -> list[str]:
    rows = RetryPolicy.objects.filter(Q(tenant=None) | Q(tenant=tenant))
    # Nulls come first, so the tenant's own policy of a name wins.
    policies = {policy.name: policy for policy in rows.order_by("-tenant_id")}
    missing = {fields["retry_policy"] for fields in rules.values()} - set(policies)
    if missing:
        raise invalid(
            [FieldError("retry_policy", "not_found", f"No policy {sorted(missing)[0]!r}.")]
        )
    found = {
        name: fields | {"retry_policy": policies[fields["retry_policy"]]}
        for name, fields in rules.items()
    }
    return _upsert(model, key, found, tenant, noted)


def _store_event_types(
    rules: Iterable[pure.EventTypeRule], tenant: Tenant | None, noted: Noted | None
) -> list[str]:
    fields = {
        rule.pattern: {"kind": rule.kind, "position": index * POSITION_STEP}
        for index, rule in enumerate(rules, 1)
    }
    return _upsert(EventTypeRule, "pattern", fields, tenant, noted)


def _store_vendors(
    rules: Iterable[pure.VendorRule], tenant: Tenant, noted: Noted | None
) -> list[str]:
    fields = {
        rule.name: {
            "requests_per_minute": rule.requests_per_minute,
            "on_open": rule.on_open,
            "release_per_second": rule.release_per_second,
            **dataclasses.asdict(rule.breaker),
        }
        for rule in rules
    }
    return _upsert(Vendor, "name", fields, tenant, noted)


def _store_automation(
    rules: Iterable[pure.AutomationRule], tenant: Tenant | None, noted: Noted | None
) -> list[str]:
    rules = list(rules)
    named = {w.name: w for w in Workflow.objects.filter(tenant=tenant)} if tenant else {}
    unknown = [rule.workflow for rule in rules if rule.workflow and rule.workflow not in named]
    if unknown:
        detail = f"No workflow {unknown[0]!r}; a workflow's policy belongs to its tenant."
        raise invalid([FieldError("automation.workflows", "workflow_not_found", detail)])
    fields = {named.get(rule.workflow): _automation_fields(rule) for rule in rules}
    return _upsert(AutomationPolicy, "workflow", fields, tenant, noted)


def _upsert(
    model: type[Row],
    key: str,
    rows: Mapping[Any, Mapping[str, Any]],
    tenant: Tenant | None,
    noted: Noted | None,
) -> list[str]:
    """Create or change the rows; return the keys of those that were not already so."""
    present = {getattr(row, key): row for row in _all(model).filter(tenant=tenant)}
    new, names = [], []
    for value, fields in rows.items():
        row = present.get(value)
        if row is None:
            new.append(model(tenant=tenant, **{key: value}, **fields))
        elif stale := [name for name in fields if getattr(row, name) != fields[name]]:
            before = _columns(row, stale)
            for name in stale:
                setattr(row, name, fields[name])
            row.save(update_fields=stale)
            if noted is not None:
                noted(row, before, _columns(row, stale))
        else:
            continue
        names.append(str(value or "every workflow"))
    _all(model).bulk_create(new)
    return names


def _columns(row: Model, names: Iterable[str]) -> dict[str, Any]:
    """The columns as the audit log keeps them: of a row that is pointed to, its key."""
    fields = [field for field in row._meta.concrete_fields if field.name in set(names)]
    values = {field.name: field.value_from_object(row) for field in fields}
    return {n: v.isoformat() if isinstance(v, datetime) else v for n, v in values.items()}


def _all(model: type[Row]) -> QuerySet[Row]:
    return model._default_manager.all()
