"""What a plan does next: a pure function of the plan and of what its attempts became [A2 P9].

Nothing is remembered between two looks but the attempts themselves (rows of `actions`), so a
recovery goes on after any crash where its rows stand. What `advance` asks for is started once,
because an attempt's step, role and number are unique in its recovery.

    forward   group after group; the steps of a group at once; a failed step is tried again as often
              as it may be, then stops the plan, is passed over, or turns it back
    verify    the probe, up to its number of tries
    back      the steps that took effect, undone in reverse, one at a time, once each
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from actions.plans.document import Plan, Step

Role = Literal["do", "verify", "undo"]
# open: it may still end well. stopped: a person, a switch or time kept it from running.
AttemptState = Literal["open", "succeeded", "failed", "stopped"]
State = Literal[
    "executing", "verifying", "rolling_back", "completed", "failed", "rolled_back", "needs_human"
]
VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one step. `took_effect`: the target took it, whatever came of it then; `has_undo`:
    its kind knows how to take that back, so the plan need not say.

    `number` counts from 1 for each step and role; the verification's step is `verify`.
    """

    step: str
    role: Role
    number: int
    state: AttemptState
    took_effect: bool = False
    reason: str = ""
    has_undo: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Start this attempt, `after_seconds` from now."""

    step: str
    role: Role
    number: int
    after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Next:
    """The recovery's state now, why, and what to start."""

    state: State
    reason: str = ""
    starts: tuple[Start, ...] = ()


@dataclass(frozen=True, slots=True)
class _Tried:
    """How far a step has come in one role."""

    state: Literal["none", "open", "again", "succeeded", "failed", "stopped"]
    last: Attempt | None = None

    def number(self) -> int:
        return self.last.number if self.last else 0


def advance(plan: Plan, attempts: Sequence[Attempt], *, undo_asked: bool = False) -> Next:
    """What follows from the attempts so far. Pure, and idempotent: asking twice says the same.

    `undo_asked`: a person wants what was done undone, however it went.
    """
    look = _Look(plan, attempts)
    if undo_asked or look.turned_back():
        return look.back()
    return look.forward()


def is_unfinished(plan: Plan, attempts: Sequence[Attempt]) -> bool:
    """Whether a step has not been done yet, nor been passed over."""
    return _Look(plan, attempts).is_unfinished()


class _Look:
    def __init__(self, plan: Plan, attempts: Sequence[Attempt]) -> None:
        self.plan = plan
        self._last: dict[tuple[str, Role], Attempt] = {}
        for attempt in sorted(attempts, key=lambda one: one.number):
            self._last[attempt.step, attempt.role] = attempt
        effects = [one for one in attempts if one.role == "do" and one.took_effect]
        self._effects = {one.step for one in effects}
        self._own_undo = {one.step for one in effects if one.has_undo}

    def tried(self, key: str, role: Role, most: int) -> _Tried:
        """How the step stands in the role, where it may be tried `most` times."""
        last = self._last.get((key, role))
        if last is None:
            return _Tried("none")
        if last.state == "failed":
            return _Tried("again" if last.number < most else "failed", last)
        return _Tried(last.state, last)

    def done(self, step: Step) -> _Tried:
        return self.tried(step.key, "do", step.retries.max_attempts)

    def is_unfinished(self) -> bool:
        tried = ((step, self.done(step).state) for step in self.plan.steps())
        return any(
            state != "succeeded" and (state, step.on_failure) != ("failed", "continue")
            for step, state in tried
        )

    # Forward

    def forward(self) -> Next:
        for group in self.plan.groups:
            if (found := self._group(group)) is not None:
                return found
        return self._verification()

    def _group(self, group: Sequence[Step]) -> Next | None:
        """Where this group keeps the plan; None once all of it succeeded or may be passed over."""
        tried = {step.key: self.done(step) for step in group}
        ended = [step for step in group if self._ends_the_plan(step, tried[step.key])]
        open_ones = [step for step in group if tried[step.key].state == "open"]
        if ended and open_ones:
            # What runs beside it is let run out: nothing is undone under its feet.
            return Next("executing", f"{ended[0].label} failed; waiting for what runs beside it.")
        if ended:
            return self._ended(ended[0], tried[ended[0].key])
        starts = tuple(self._starts(group, tried))
        if starts or open_ones:
            names = ", ".join(step.label for step in group)
            return Next("executing", names, starts)
        return None

    def _ends_the_plan(self, step: Step, tried: _Tried) -> bool:
        return tried.state == "stopped" or (
            tried.state == "failed" and step.on_failure != "continue"
        )

    def _ended(self, step: Step, tried: _Tried) -> Next:
        why = f"{step.label}: {tried.last.reason}" if tried.last else step.label
        return Next("needs_human" if tried.state == "stopped" else "failed", why)

    def _starts(self, group: Sequence[Step], tried: dict[str, _Tried]) -> Iterator[Start]:
        for step in group:
            if tried[step.key].state in ("none", "again"):
                number = tried[step.key].number() + 1
                yield Start(step.key, "do", number, step.retries.pause_before(number))

    def _verification(self) -> Next:
        verify = self.plan.verify
        if verify is None:
            return Next("completed", "Every step succeeded.")
        tried = self.tried(VERIFY, "verify", verify.tries)
        if tried.state in ("none", "again"):
            number = tried.number() + 1
            pause = verify.pause_seconds if number > 1 else 0.0
            words = f"Try {number} of {verify.tries}."
            return Next("verifying", words, (Start(VERIFY, "verify", number, pause),))
        reason = tried.last.reason if tried.last else ""
        if tried.state == "open":
            return Next("verifying", f"Try {tried.number()} of {verify.tries}.")
        if tried.state == "succeeded":
            return Next("completed", reason or "Verified.")
        if tried.state == "stopped":
            return Next("needs_human", f"Not verified: {reason}")
        return Next("failed", f"Verification failed {verify.tries} times; the last: {reason}")

    # Back

    def turned_back(self) -> bool:
        """Whether a failure has turned the plan round, and nothing is under way any more."""
        for group in self.plan.groups:
            tried = {step.key: self.done(step) for step in group}
            if any(one.state == "open" for one in tried.values()):
                return False
            for step in group:
                if tried[step.key].state == "failed" and step.on_failure == "roll_back":
                    return True
            if any(self._ends_the_plan(step, tried[step.key]) for step in group):
                return False
        verify = self.plan.verify
        if verify is None or verify.on_failure != "roll_back":
            return False
        return self.tried(VERIFY, "verify", verify.tries).state == "failed"

    def back(self) -> Next:
        """Undo what took effect, the last first; stop at the point of no return."""
        if any(one.state == "open" for (_, role), one in self._last.items() if role != "undo"):
            return Next("rolling_back", "Waiting for what is still under way.")
        for step in reversed(list(self.plan.steps())):
            if step.key not in self._effects:
                continue
            if step.irreversible:
                return Next(
                    "needs_human", f"{step.label} cannot be undone; what came before stays."
                )
            if step.undo is None and step.key not in self._own_undo:
                continue
            tried = self.tried(step.key, "undo", step.retries.max_attempts)
            if tried.state in ("none", "again"):
                number = tried.number() + 1
                start = Start(step.key, "undo", number, step.retries.pause_before(number))
                return Next("rolling_back", f"Undoing {step.label}.", (start,))
            if tried.state == "open":
                return Next("rolling_back", f"Undoing {step.label}.")
            if tried.state != "succeeded":
                why = tried.last.reason if tried.last else ""
                return Next("needs_human", f"Undoing {step.label} did not work: {why}")
        return Next("rolled_back", "Everything that took effect was undone.")
