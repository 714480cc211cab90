"""Exactly what will run, shown before a person approves it, and what their approval binds to [A4].

A preview is computed, never stored: of a plain action that action, of a step of a plan the whole
plan, with its undos and its verification, as it was when the recovery began. `calls_hash` covers
everything that would be called; it is stored with the approval, and a send under that approval
finds it again or does not happen. `hash` is what the approver has seen: it also covers which
version of the plan was the newest, so an approval after an edit of the plan asks to look again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from actions.catalog import kind_named
from actions.catalog.kind import Order, Preview
from actions.editing import open_steps
from actions.models import Action, StepRole
from actions.plans.document import Call, Plan, Step
from actions.plans.engine import VERIFY
from actions.plans.expression import ExpressionError, fill
from actions.plans.models import Recovery
from actions.plans.ranges import value_at
from actions.plans.selectors import plan_named


@dataclass(frozen=True)
class Editable:
    """What an approver may change of a step: under which `name` it is sent, what stands there now,
    and what is allowed, in words and as numbers or texts."""

    name: str
    label: str
    value: Any
    allowed: str
    min: float | None
    max: float | None
    one_of: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """One call: what is called with which parameters. References to results that are not there yet
    stand in `parameters` as they are written. `undo`: what takes it back, in words. `number`: its
    place among the plan's steps."""

    step: str
    role: str
    title: str
    kind: str
    parameters: Mapping[str, Any]
    says: str
    calls: tuple[str, ...]
    undo: str
    irreversible: bool
    tries: int
    timeout_seconds: int
    number: int = 1
    editable: tuple[Editable, ...] = ()


# Of a line: words for people, and what else might be called. They bind nobody.
_WORDS = ("title", "says", "undo", "number", "editable")


@dataclass(frozen=True)
class Shown:
    """What an approval lets happen. `plan`: name and version, "" for a plain action; `newest`: the
    version that a recovery would get now, None where that is the same, 0 if the plan is retired."""

    lines: tuple[Line, ...]
    plan: str = ""
    newest: int | None = None

    @cached_property
    def calls_hash(self) -> str:
        """Over what would be called, in the order of the plan."""
        calls = [{k: v for k, v in asdict(line).items() if k not in _WORDS} for line in self.lines]
        return _digest([self.plan, calls])

    @cached_property
    def hash(self) -> str:
        """Over what the approver decides on."""
        return _digest([self.calls_hash, self.newest])

    @property
    def irreversible(self) -> bool:
        return any(line.irreversible for line in self.lines)

    @property
    def editable(self) -> list[Editable]:
        return [one for line in self.lines for one in line.editable]

    def to_json(self) -> dict[str, Any]:
        return {"plan": self.plan, "newest": self.newest, "lines": [asdict(x) for x in self.lines]}


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def preview_of(action: Action, now: datetime) -> Shown:
    """What approving `action` lets happen, as things stand. Reads, calls nobody."""
    recovery = action.recovery
    plan = recovery.plan() if recovery is not None and action.step else None
    if recovery is None or plan is None:
        return Shown((_line(action, Call(action.kind, action.parameters), now),))
    name = str(recovery.template) if recovery.template else plan.name
    return Shown(tuple(_lines(action, recovery, plan, now)), name, _newest(recovery))


def _newest(recovery: Recovery) -> int | None:
    if recovery.template is None:
        return None
    newest = plan_named(recovery.tenant_id, recovery.template.name)
    if newest is None:
        return 0
    return None if newest.pk == recovery.template_id else newest.version


def _lines(action: Action, recovery: Recovery, plan: Plan, now: datetime) -> Iterator[Line]:
    def line(step: str, role: str, call: Call, **words: Any) -> Line:
        filled = Call(call.kind, _filled(call.parameters, recovery.facts))
        return _line(action, filled, now, step=step, role=role, **words)

    still_open = _open(recovery, plan)
    for number, step in enumerate(plan.steps(), start=1):
        limits = {"tries": step.retries.max_attempts, "timeout_seconds": step.timeout_seconds}
        undo = "Cannot be undone." if step.irreversible else ""
        if step.undo is not None:
            takes_back = line(step.key, StepRole.UNDO, step.undo, title=_undoing(step), **limits)
            undo = takes_back.says
        yield line(
            step.key,
            StepRole.DO,
            Call(step.kind, step.parameters),
            title=step.label,
            undo=undo,
            irreversible=step.irreversible,
            number=number,
            editable=_editable(step) if step.key in still_open else (),
            **limits,
        )
        if step.undo is not None:
            yield takes_back
    if plan.verify is not None:
        call = Call(plan.verify.kind, plan.verify.parameters)
        limits = {"tries": plan.verify.tries, "timeout_seconds": plan.verify.timeout_seconds}
        yield line(VERIFY, StepRole.VERIFY, call, title="Verify", **limits)


def _open(recovery: Recovery, plan: Plan) -> set[str]:
    if not any(step.editable for step in plan.steps()):
        return set()  # spares the look at what was sent
    return {step.key for step in open_steps(recovery, plan)}


def _editable(step: Step) -> tuple[Editable, ...]:
    return tuple(
        Editable(
            name=f"{step.key}.{name}",
            label=f"{step.label}: {name.rpartition('.')[2].replace('_', ' ')}",
            value=value_at(step.parameters, name),
            allowed=allowed.words,
            min=allowed.min,
            max=allowed.max,
            one_of=allowed.one_of,
        )
        for name, allowed in step.editable.items()
    )


def _undoing(step: Step) -> str:
    return f"Undo {step.label[:1].lower()}{step.label[1:]}"


def _line(
    action: Action,
    call: Call,
    now: datetime,
    *,
    step: str = "",
    role: str = StepRole.DO,
    title: str = "",
    undo: str = "",
    irreversible: bool = False,
    tries: int = 1,
    timeout_seconds: int = 0,
    number: int = 1,
    editable: tuple[Editable, ...] = (),
) -> Line:
    kind = kind_named(call.kind)
    try:
        found = kind.preview(Order(action, now), kind.read(call.parameters))
    except msgspec.ValidationError:
        # A reference stands where a number belongs; the step itself is read when it runs.
        found = Preview(says=kind.says)
    return Line(
        step=step,
        role=str(role),
        title=title or kind.label,
        kind=call.kind,
        parameters=call.parameters,
        says=found.says,
        calls=found.calls,
        undo=undo or found.undo,
        irreversible=irreversible or kind.irreversible or found.irreversible,
        tries=tries,
        timeout_seconds=timeout_seconds,
        number=number,
        editable=editable,
    )


def _filled(parameters: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """With what was known when the recovery began; what waits for a step's result stays open."""
    return {name: _known(value, facts) for name, value in parameters.items()}


def _known(value: Any, facts: Mapping[str, Any]) -> Any:
    try:
        return fill(value, facts)
    except ExpressionError:
        return value


def bound_hash(action: Action) -> str:
    """The `calls_hash` that the approval holds for under which `action` runs; "" without one."""
    if action.recovery is not None and action.step:
        return action.recovery.approved_hash
    return action.approved_hash


def has_lapsed(action: Action, now: datetime) -> bool:
    """Whether something else would be called than what was approved."""
    bound = bound_hash(action)
    return bool(bound) and bound != preview_of(action, now).calls_hash
