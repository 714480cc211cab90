"""Changing a plan before it is approved, within the ranges that it states itself [A4].

The change goes into the recovery's own copy: the template, and every other recovery, stay. Of a
step that was sent nothing is changed any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from actions.catalog import kind_named
from actions.models import Action, Recovery, StepRole
from actions.plans.document import Plan, Step
from actions.plans.expression import fill
from actions.plans.ranges import put, value_at
from actions.plans.stage import facts_of
from actions.states import ActionStatus
from awfdrs_site.kernel import audit
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import FieldError, invalid
from incidents import announce
from incidents.models import TimelineKind


def edit(*, action: Action, edits: Mapping[str, Any], actor: Actor, now: datetime) -> None:
    """Set each `step.parameter` of `edits` in the plan of the locked `action`, and in what waits.

    In the caller's transaction. A value that is there already changes nothing. Raises 400
    `validation_error` with every field that the plan does not let an approver set so.
    """
    recovery = action.recovery
    plan = recovery.plan() if recovery is not None and action.step else None
    if recovery is None or plan is None:
        raise invalid([_unknown(name) for name in edits])
    steps = {step.key: step for step in open_steps(recovery, plan)}
    errors: list[FieldError] = []
    changes: list[str] = []
    for name, given in edits.items():
        key, _, parameter = name.partition(".")
        if key not in steps or parameter not in steps[key].editable:
            errors.append(_unknown(name))
            continue
        step = steps[key]
        value, wrong = _read(step, parameter, given)
        errors += wrong
        old = value_at(step.parameters, parameter)
        if value != old:
            steps[key] = replace(step, parameters=put(step.parameters, parameter, value))
            changes.append(f"{step.label}, {parameter}: {old} → {value}")
    if errors:
        raise invalid(errors)
    if changes:
        _store(action, recovery, _with(plan, steps), "; ".join(changes), actor, now)


def open_steps(recovery: Recovery, plan: Plan) -> list[Step]:
    """The steps of which nothing was sent yet."""
    sent = {one.step for one in recovery.actions.all() if one.sent_at is not None}
    return [step for step in plan.steps() if step.key not in sent]


def _unknown(name: str) -> FieldError:
    return FieldError(f"parameters.{name}", "unknown_field", "Nobody may change that here.")


def _read(step: Step, parameter: str, given: Any) -> tuple[Any, list[FieldError]]:
    path = f"parameters.{step.key}.{parameter}"
    try:
        value = step.editable[parameter].read(given)
    except ValueError as error:
        return given, [FieldError(path, "out_of_range", str(error))]
    changed = put(step.parameters, parameter, value)
    return value, kind_named(step.kind).check_one(changed, parameter, path)


def _with(plan: Plan, steps: Mapping[str, Step]) -> Plan:
    groups = tuple(tuple(steps.get(step.key, step) for step in group) for group in plan.groups)
    return replace(plan, groups=groups)


def _store(
    action: Action, recovery: Recovery, plan: Plan, words: str, actor: Actor, now: datetime
) -> None:
    before, recovery.document = recovery.document, plan.to_json()
    recovery.save(update_fields=["document"])
    attempts = list(recovery.actions.exclude(step="").order_by("attempt"))
    facts = facts_of(recovery, attempts)
    for one in attempts:
        if one.status == ActionStatus.WAITING and one.role == StepRole.DO:
            mine = action if one.pk == action.pk else one
            mine.parameters = fill(plan.step(one.step).parameters, facts)
            mine.save(update_fields=["parameters"])
    audit.record(
        tenant_id=recovery.tenant_id,
        actor=actor,
        verb="plan_edited",
        subject=recovery,
        now=now,
        before=before,
        after=recovery.document,
        comment=words,
    )
    data = {"action": str(action.pk), "comment": ""}
    text = f"changed the plan: {words}"
    announce.note(action.incident, TimelineKind.APPROVAL, text, actor=actor, now=now, data=data)
