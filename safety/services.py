"""Every write of the safety app: kill switches and rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from awfdrs_site.kernel import audit, live
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.problem import FieldError, invalid
from awfdrs_site.kernel.transition import IllegalTransition, lock
from safety import rule_files, rule_history, rule_rows, selectors
from safety.models import EventTypeRule, KillSwitch, SwitchBlocks, SwitchedKind, SwitchScope
from safety.rule_types import Ruleset
from safety.switches import lock_switches_exclusive
from tenants.models import Tenant, Workflow

REASON_CHARS = 300
VENDOR_CHARS = 100


@transaction.atomic
def engage_switch(
    *,
    tenant: Tenant | None,
    scope: str,
    workflow: Workflow | None = None,
    vendor: str = "",
    action_kind: str = "",
    blocks: str = SwitchBlocks.AUTOMATION,
    reason: str = "",
    expires_at: datetime | None = None,
    action_id: UUID | None = None,
    actor: Actor,
    now: datetime,
) -> KillSwitch:
    """Stop what `scope` names; once this returns and commits, nothing new starts there.

    One switch is engaged per target: engaging again returns the one there is, and only ever makes
    it stop more (the later expiry, the wider `blocks`). A new row has `engaged_at == now`.
    `action_id`: the action of automation that engages it; where a person engages the same target
    afterwards, the switch is theirs, and no action releases it any more.
    Locks: every sender that is about to mark something as being sent, until the commit.
    Raises Problem 400 for a target that does not fit its scope or an expiry in the past.
    """
    switch = KillSwitch(
        scope=scope,
        tenant=tenant,
        workflow=workflow,
        vendor=vendor.strip(),
        action_kind=action_kind,
        blocks=blocks,
        reason=reason.strip(),
        engaged_at=now,
        engaged_by=actor.name,
        expires_at=expires_at,
        action_id=action_id,
    )
    check_engagement(switch, now)
    lock_switches_exclusive()
    # Locked: one that is being released at this moment must not be taken for a stop.
    engaged = _same_target(switch, now).select_for_update(of=("self",), no_key=True).first()
    if engaged is not None:
        return _widen(engaged, blocks, expires_at, actor, now)
    switch.save(force_insert=True)
    _record(switch, "engaged", actor, now, None, switch.reason)
    return switch


@transaction.atomic
def press_in_shadow(*, switch: KillSwitch, actor: Actor, now: datetime) -> KillSwitch:
    """Do all that engaging the unsaved `switch` does, with a row that is released as it is written.

    So it takes as long as a stop takes and holds nothing back; pages are not told, the audit entry
    says `drilled`. Locks and raises as `engage_switch`.
    """
    switch.is_drill, switch.engaged_at, switch.engaged_by = True, now, actor.name
    switch.released_at, switch.released_by = now, actor.name
    check_engagement(switch, now)
    lock_switches_exclusive()
    _same_target(switch, now).select_for_update(of=("self",), no_key=True).first()
    switch.save(force_insert=True)
    _record(switch, "drilled", actor, now, None, switch.reason)
    return switch


@transaction.atomic
def extend_switch(
    *, switch: KillSwitch, expires_at: datetime | None, actor: Actor, now: datetime
) -> KillSwitch:
    """Let an engaged switch end later, or (None) only when somebody resumes; audited.

    Locks as `engage_switch`: once this returns and commits, nothing starts before the new end.
    Raises Problem 400 unless that is later than the present end (sooner is a release, which wants
    a reason), IllegalTransition (409) when it is no longer engaged.
    """
    lock_switches_exclusive()
    switch = lock(switch)
    if not switch.is_engaged(now):
        raise _not_engaged(switch, "extended")
    ends = switch.expires_at
    if ends is None or (expires_at is not None and expires_at <= ends):
        until = "until it is released" if ends is None else f"until {ends.isoformat()}"
        detail = f"It lasts {until}; release it, with a reason, to end it sooner."
        raise invalid([FieldError("expires_at", "not_later", detail)])
    return _widen(switch, switch.blocks, expires_at, actor, now)


@transaction.atomic
def release_switch(*, switch: KillSwitch, reason: str, actor: Actor, now: datetime) -> KillSwitch:
    """End an engaged switch, with a reason. What it held back is not started by this.

    Raises Problem 400 without a reason, IllegalTransition (409) when it is no longer engaged; the
    document then names who released it and when.
    """
    if not reason.strip() or len(reason) > REASON_CHARS:
        detail = f"Say why, in at most {REASON_CHARS} characters."
        raise invalid([FieldError("reason", "required", detail)])
    switch = lock(switch)
    if not switch.is_engaged(now):
        raise _not_engaged(switch, "released")
    before = _shape(switch)
    switch.released_at, switch.released_by = now, actor.name
    switch.release_reason = reason.strip()
    switch.save(update_fields=["released_at", "released_by", "release_reason"])
    _record(switch, "released", actor, now, before, switch.release_reason)
    return switch


def _not_engaged(switch: KillSwitch, wanted: str) -> IllegalTransition:
    current = "expired" if switch.released_at is None else "released"
    problem = IllegalTransition("kill switch", current, wanted, frozenset())
    if switch.released_at is not None:
        problem.extra |= {"released_by": switch.released_by, "released_at": switch.released_at}
    return problem


def check_engagement(switch: KillSwitch, now: datetime) -> None:
    errors = _target_errors(switch)
    if switch.scope not in SwitchScope.values:
        errors = [
            FieldError("scope", "invalid_choice", f"One of: {', '.join(SwitchScope.values)}.")
        ]
    if switch.blocks not in SwitchBlocks.values:
        errors.append(FieldError("blocks", "invalid_choice", "automation, ingestion or both."))
    if switch.scope == SwitchScope.ACTION and switch.blocks != SwitchBlocks.AUTOMATION:
        errors.append(FieldError("blocks", "unexpected", "An action type is automation alone."))
    if switch.action_kind and switch.action_kind not in SwitchedKind.values:
        kinds = ", ".join(SwitchedKind.values)
        errors.append(FieldError("action_kind", "invalid_choice", f"One of: {kinds}."))
    if len(switch.vendor) > VENDOR_CHARS:
        errors.append(FieldError("vendor", "max_length", f"At most {VENDOR_CHARS} characters."))
    if len(switch.reason) > REASON_CHARS:
        errors.append(FieldError("reason", "max_length", f"At most {REASON_CHARS} characters."))
    if switch.expires_at is not None and switch.expires_at <= now:
        errors.append(FieldError("expires_at", "past", "Must be in the future."))
    if errors:
        raise invalid(errors)


def _target_errors(switch: KillSwitch) -> list[FieldError]:
    """An empty target never means "all": each scope has exactly the target it needs."""
    scope = switch.scope
    parts = {
        "tenant": (scope != SwitchScope.GLOBAL, switch.tenant_id is not None),
        "workflow": (scope == SwitchScope.WORKFLOW, switch.workflow_id is not None),
        "vendor": (scope == SwitchScope.VENDOR, bool(switch.vendor)),
        "action_kind": (scope == SwitchScope.ACTION, bool(switch.action_kind)),
    }
    errors = []
    for name, (needed, given) in parts.items():
        if needed and not given:
            errors.append(FieldError(name, "required", f"A switch of scope {scope} needs it."))
        elif given and not needed:
            errors.append(FieldError(name, "unexpected", f"A switch of scope {scope} has none."))
    if switch.workflow and switch.workflow.tenant_id != switch.tenant_id and not errors:
        errors.append(FieldError("workflow", "not_found", "No such workflow."))
    return errors


def _same_target(switch: KillSwitch, now: datetime) -> QuerySet[KillSwitch]:
    """What is engaged at the target of `switch` already."""
    return KillSwitch.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now),
        scope=switch.scope,
        tenant=switch.tenant_id,
        workflow=switch.workflow_id,
        vendor__iexact=switch.vendor,
        action_kind=switch.action_kind,
        released_at=None,
    )


def _widen(
    switch: KillSwitch, blocks: str, expires_at: datetime | None, actor: Actor, now: datetime
) -> KillSwitch:
    before = _shape(switch)
    if switch.blocks != blocks:
        switch.blocks = SwitchBlocks.BOTH
    if switch.expires_at is not None and (expires_at is None or expires_at > switch.expires_at):
        switch.expires_at = expires_at
    if actor != MACHINE and switch.action_id is not None:
        switch.action_id, switch.engaged_by = None, actor.name
    if _shape(switch) != before:
        switch.save(update_fields=["blocks", "expires_at", "action_id", "engaged_by"])
        _record(switch, "extended", actor, now, before, "")
    return switch


def _shape(switch: KillSwitch) -> dict[str, Any]:
    expires_at = switch.expires_at.isoformat() if switch.expires_at else None
    return {
        "target": switch.target(),
        "blocks": switch.blocks,
        "expires_at": expires_at,
        "engaged": switch.released_at is None,
        "engaged_by": switch.engaged_by,
    }


def _record(
    switch: KillSwitch,
    verb: str,
    actor: Actor,
    now: datetime,
    before: dict[str, Any] | None,
    comment: str,
) -> None:
    audit.record(
        tenant_id=switch.tenant_id,
        actor=actor,
        verb=verb,
        subject=switch,
        now=now,
        before=before,
        after=_shape(switch),
        comment=comment,
    )
    for tenant_id in _tenants_told(switch):
        live.publish(tenant_id, "safety")


def _tenants_told(switch: KillSwitch) -> list[UUID]:
    if switch.is_drill:
        return []
    if switch.tenant_id is not None:
        return [switch.tenant_id]
    return list(Tenant.objects.filter(is_active=True).values_list("pk", flat=True))


@transaction.atomic
def import_rules(
    *,
    ruleset: Ruleset,
    tenant: Tenant | None = None,
    actor: Actor = MACHINE,
    now: datetime | None = None,
) -> dict[str, list[str]]:
    """Write `ruleset` over the tenant's rules of the same keys, or over the defaults.

    Idempotent: returns what was new or differed, by table, and audits it if there was anything.
    Deletes nothing. Raises Problem 400 for a workflow or a policy that does not exist.
    """
    at, tenant_id = now or timezone.now(), tenant.pk if tenant else None
    changed = rule_rows.store(ruleset, tenant, rule_history.recorder(tenant_id, actor, at))
    if changed:
        audit.record(
            tenant_id=tenant_id,
            actor=actor,
            verb="rules_imported",
            subject=_Rulebook(tenant_id or "defaults"),
            now=at,
            after=changed,
        )
    selectors.forget_rules()
    return changed


@dataclass(frozen=True)
class _Rulebook:
    """All rules of a tenant, or the defaults, as the subject of one audit entry."""

    pk: Any
    _meta = SimpleNamespace(label_lower="safety.rulebook")


def ensure_default_rules() -> bool:
    """Import config/rules as the defaults unless there are default rules; True if it did.

    What an administrator has edited since is never written over by a start.
    """
    if EventTypeRule.objects.filter(tenant=None).exists():
        return False
    import_rules(ruleset=rule_files.read_default_rules())
    return True
