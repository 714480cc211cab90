"""How a recovery stands, step by step: its plan beside what became of each attempt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.utils import timezone

from actions.models import Action, Recovery, StepRole
from actions.plans.document import Call, Plan, Step
from actions.plans.engine import VERIFY
from actions.plans.states import SETTLED
from actions.states import ActionStatus

# Beside the states of an action, those of a step that has none.
PENDING, SKIPPED, STANDBY, ROLLED_BACK = "pending", "skipped", "standby", "rolled_back"
STATES = (*ActionStatus.values, PENDING, SKIPPED, STANDBY, ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing a plan does: a step, its undo, or the verification. `attempts`: oldest first.

    `state`: the latest attempt's; without one `pending`, or `skipped` once the recovery is over
    (for an undo `standby` either way); `rolled_back` for a step whose undo succeeded. `most`: how
    often it is tried; `group`: from 1, parts with the same number run at once.
    """

    key: str
    title: str
    kind: str
    state: str
    attempts: tuple[Action, ...] = ()
    most: int = 1
    irreversible: bool = False
    undo: Part | None = None
    group: int = 0

    @property
    def last(self) -> Action | None:
        return self.attempts[-1] if self.attempts else None


@dataclass(frozen=True, slots=True)
class Progress:
    """`groups` one after the other, the parts of a group at once; then `verify`."""

    groups: tuple[tuple[Part, ...], ...]
    verify: Part | None = None

    def parts(self) -> list[Part]:
        """The steps, in the order of the plan."""
        return [part for group in self.groups for part in group]

    def undos(self) -> list[Part]:
        """The way back, the first to be undone first."""
        return [part.undo for part in reversed(self.parts()) if part.undo is not None]

    def can_undo(self) -> bool:
        """Whether something took effect that can be taken back and was not."""
        return any(
            part.undo is not None
            and part.undo.state == STANDBY
            and any(attempt.result.get("taken") for attempt in part.attempts)
            for part in self.parts()
        )

    def done(self) -> int:
        """How many steps succeeded and were not undone."""
        return sum(part.state == ActionStatus.SUCCEEDED for part in self.parts())

    def tries(self) -> int:
        return sum(len(part.attempts) for part in self.parts())


def progress_of(recovery: Recovery, actions: Iterable[Action] | None = None) -> Progress:
    """Reads the recovery's actions where they are not given; no other query."""
    actions = recovery.actions.all() if actions is None else actions
    actions, plan = sorted(actions, key=attrgetter("pk")), recovery.plan()
    if plan is None:
        return Progress(((_retry(actions),),) if actions else ())
    return progress(plan, actions, over=recovery.status in SETTLED)


def progress(plan: Plan, actions: Sequence[Action] = (), *, over: bool = False) -> Progress:
    """A plan beside its attempts; without any, the plan as it would run."""
    look = _Look(actions, over)
    groups = tuple(
        tuple(look.step(step, number) for step in group)
        for number, group in enumerate(plan.groups, start=1)
    )
    verify = plan.verify
    if verify is None:
        return Progress(groups)
    part = look.part(VERIFY, StepRole.VERIFY, Call(verify.kind), "Verify", most=verify.tries)
    return Progress(groups, part)


def _retry(actions: Sequence[Action]) -> Part:
    last = actions[-1]
    return Part(
        "retry", "Retry", last.kind, last.status, tuple(actions), last.max_attempts, group=1
    )


class _Look:
    def __init__(self, actions: Sequence[Action], over: bool) -> None:
        self.actions, self.none = actions, SKIPPED if over else PENDING

    def step(self, step: Step, group: int) -> Part:
        undo, call = None, step.undo or self.own_undo(step)
        if call is not None:
            title = f"Undo: {step.label}"
            undo = self.part(step.key, StepRole.UNDO, call, title, none=STANDBY)
        undone = undo is not None and undo.state == ActionStatus.SUCCEEDED
        return self.part(
            step.key,
            StepRole.DO,
            Call(step.kind),
            step.label,
            most=step.retries.max_attempts,
            irreversible=step.irreversible,
            undo=undo,
            group=group,
            **({"state": ROLLED_BACK} if undone else {}),
        )

    def own_undo(self, step: Step) -> Call | None:
        """What takes the step back by its kind's own knowledge, once it took effect."""
        from actions.undoing import undo_of  # the catalog's modules import this one

        mine = (one for one in self.actions if (one.step, one.role) == (step.key, StepRole.DO))
        undos = [undo_of(one, timezone.now()) for one in mine if one.result.get("taken")]
        return undos[-1] if undos else None

    def part(
        self, key: str, role: StepRole, call: Call, title: str, none: str = "", **more: Any
    ) -> Part:
        mine = tuple(one for one in self.actions if (one.step, one.role) == (key, role))
        state = mine[-1].status if mine else none or self.none
        return Part(key, title, call.kind, **{"state": state, "attempts": mine, **more})
