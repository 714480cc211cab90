"""Writing plan templates: checked as a whole, a version each, never edited [A2 S11]."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from msgspec.structs import replace

from actions.catalog import in_plans, kind_named
from actions.plans.document import Plan, PlanError, Step, read_plan
from actions.plans.models import RecoveryPlan
from actions.plans.ranges import put
from awfdrs_site.kernel import audit
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.problem import FieldError, invalid
from tenants.models import Tenant

# Any number no other advisory lock of this database uses: "PLANS" in ASCII.
_LOCK = 0x50_4C41_4E53


def check_plan(source: str) -> Plan:
    """The plan in `source`, with every step's parameters checked by its kind.

    Raises Problem 400 naming everything that is wrong and where.
    """
    try:
        plan = read_plan(source, in_plans())
    except PlanError as error:
        raise invalid(
            [FieldError(path or "source", "invalid", words) for path, words in error.mistakes]
        ) from error
    if errors := list(_parameter_errors(plan)):
        raise invalid(errors)
    return _marked(plan)


def _marked(plan: Plan) -> Plan:
    """With every step marked irreversible whose kind is, whatever its author wrote."""
    groups = tuple(tuple(_marked_step(step) for step in group) for group in plan.groups)
    return replace(plan, groups=groups)


def _marked_step(step: Step) -> Step:
    return replace(step, irreversible=step.irreversible or kind_named(step.kind).irreversible)


def _parameter_errors(plan: Plan) -> Iterator[FieldError]:
    for step in plan.steps():
        yield from kind_named(step.kind).check(step.parameters, f"{step.key}.with")
        yield from _range_errors(step)
        if step.undo is not None and kind_named(step.kind).irreversible:
            words = f"{kind_named(step.kind).label} cannot be undone."
            yield FieldError(f"{step.key}.undo", "irreversible", words)
        elif step.undo is not None:
            yield from kind_named(step.undo.kind).check(
                step.undo.parameters, f"{step.key}.undo.with"
            )
    if plan.verify is not None:
        yield from kind_named(plan.verify.kind).check(plan.verify.parameters, "verify.with")


def lacks(plan: Plan, tenant_id: UUID) -> str:
    """The first thing that the plan needs, also to be undone, and the tenant has not; else empty.

    Asked before it begins, so that nobody has to approve what cannot run.
    """
    calls = [call for step in plan.steps() for call in (step, step.undo) if call is not None]
    found = (kind_named(call.kind).lacks(tenant_id, call.parameters) for call in calls)
    return next(filter(None, found), "")


def _range_errors(step: Step) -> Iterator[FieldError]:
    """What an approver may set must be what the kind takes."""
    for name, allowed in step.editable.items():
        for end in allowed.ends:
            given, path = put(step.parameters, name, end), f"{step.key}.editable.{name}"
            yield from kind_named(step.kind).check_one(given, name, path)


@transaction.atomic
def save_plan(*, tenant: Tenant | None, source: str, actor: Actor, now: datetime) -> RecoveryPlan:
    """Store `source` as the next version of the plan it names; the same text again stores nothing.

    Recoveries that run keep the version they began with. Locks: whoever else saves a plan.
    Raises Problem 400 as `check_plan`.
    """
    plan = check_plan(source)
    newest = lock_newest(tenant, plan.name)
    if newest is not None and newest.source == source and newest.retired_at is None:
        return newest
    saved = RecoveryPlan.objects.create(
        tenant=tenant,
        name=plan.name,
        version=newest.version + 1 if newest else 1,
        source=source,
        document=plan.to_json(),
        created_at=now,
        created_by=actor.name,
    )
    audit.record(
        tenant_id=tenant.pk if tenant else None,
        actor=actor,
        verb="plan_saved",
        subject=saved,
        now=now,
        before=newest.source if newest else None,
        after=source,
    )
    return saved


def lock_newest(tenant: Tenant | None, name: str) -> RecoveryPlan | None:
    """The newest version of the owner's plan; it stays so until the caller's transaction ends.

    Locks: whoever else saves a plan.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    versions = RecoveryPlan.objects.filter(tenant=tenant, name=name)
    return versions.order_by("-version").first()


@transaction.atomic
def retire_plan(
    *, plan: RecoveryPlan, actor: Actor, now: datetime, comment: str = ""
) -> RecoveryPlan:
    """Let no further recovery begin with the plan; saving it again brings it back. Idempotent."""
    if plan.retired_at is None:
        plan.retired_at = now
        plan.save(update_fields=["retired_at"])
        audit.record(
            tenant_id=plan.tenant_id,
            actor=actor,
            verb="plan_retired",
            subject=plan,
            now=now,
            comment=comment,
        )
    return plan


def ensure_default_plans(now: datetime) -> int:
    """Store the plans of config/plans that nobody has stored yet; how many that was.

    What an administrator has changed or retired since is never written over by a start.
    """
    known = set(RecoveryPlan.objects.filter(tenant=None).values_list("name", flat=True))
    saved = 0
    for path in sorted(default_plans().glob("*.yaml")):
        if path.stem not in known:
            save_plan(tenant=None, source=path.read_text(), actor=MACHINE, now=now)
            saved += 1
    return saved


def default_plans() -> Path:
    return Path(settings.BASE_DIR) / "config" / "plans"
