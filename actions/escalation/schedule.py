"""Whom an escalation calls and when [A6]. Pure: plain data and instants in, plain data out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

DAY_SECONDS = 86_400
FIRST_PAUSE_SECONDS = 5
MAX_PAUSE_SECONDS = 300
MAX_ATTEMPTS = 6
# So many calls in a row that did not arrive, and the channel counts as failing.
FAILING_AFTER = 3

_Seconds = Annotated[int, msgspec.Meta(ge=0, le=DAY_SECONDS)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Call these channels so long after the escalation began."""

    after_seconds: _Seconds
    channels: Annotated[tuple[_Name, ...], msgspec.Meta(min_length=1, max_length=20)]


_Steps = Annotated[tuple[Step, ...], msgspec.Meta(max_length=10)]


@dataclass(frozen=True)
class Policy:
    """`steps` in the order of their times, then all of them again, `repeats` times.

    A round begins `repeat_after_seconds` after the last step of the one before. Without steps the
    escalation stays in the log.
    """

    steps: Sequence[Step] = ()
    repeats: int = 0
    repeat_after_seconds: int = 0


@dataclass(frozen=True)
class Call:
    """One notice to one channel; `step` and `round` count from 0."""

    step: int
    round: int
    channel: str
    due_at: datetime


def read_steps(document: Any) -> tuple[Step, ...]:
    """The steps of a policy as an admin writes them. Raises ValueError, in words for people."""
    try:
        steps = msgspec.convert(document, _Steps)
    except msgspec.ValidationError as error:
        raise ValueError(f"{error}.") from None
    times = [step.after_seconds for step in steps]
    if times != sorted(set(times)):
        raise ValueError("Each step comes later than the one before it.")
    if any(len(set(step.channels)) < len(step.channels) for step in steps):
        raise ValueError("A step names a channel once.")
    return steps


def calls_of(policy: Policy, channels: Collection[str], began_at: datetime) -> list[Call]:
    """Every call of an escalation that nobody stops, in the order in which they come due.

    `channels`: the names of those that are switched on. If the policy names some and not one of
    them is, all that are on are called at once: somebody must hear of it.
    """
    steps = [
        (number, step.after_seconds, [name for name in step.channels if name in channels])
        for number, step in enumerate(policy.steps)
    ]
    if policy.steps and not any(names for *_, names in steps):
        steps = [(0, 0, sorted(channels))]
    if not steps:
        return []
    length = steps[-1][1] + policy.repeat_after_seconds
    return [
        Call(number, round_, name, began_at + timedelta(seconds=round_ * length + after))
        for round_ in range(policy.repeats + 1)
        for number, after, names in steps
        for name in names
    ]


# The one reason to stop that can be taken back.
TAKEN = "somebody has it"


@dataclass(frozen=True)
class Standing:
    """How the incident of a page stands, and since when the escalation that calls about it runs."""

    over: str
    opened_at: datetime
    acknowledged_at: datetime | None
    escalated_at: datetime


def reason_to_stop(standing: Standing) -> str:
    """Why nobody needs to be called any more; empty if somebody does."""
    if standing.opened_at > standing.escalated_at:
        return "the incident was opened anew"
    if standing.over:
        return f"the incident is {standing.over}"
    acknowledged = standing.acknowledged_at
    if acknowledged is not None and acknowledged >= standing.opened_at:
        return TAKEN
    return ""


def pause_seconds(attempts: int) -> int | None:
    """The pause after so many calls that did not arrive; None if that was the last."""
    if attempts >= MAX_ATTEMPTS:
        return None
    return min(FIRST_PAUSE_SECONDS * int(3 ** (attempts - 1)), MAX_PAUSE_SECONDS)
