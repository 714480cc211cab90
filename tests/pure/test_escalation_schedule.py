"""Whom an escalation calls and when, and what stops it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.escalation.schedule import (
    MAX_ATTEMPTS,
    MAX_PAUSE_SECONDS,
    Policy,
    Standing,
    Step,
    calls_of,
    pause_seconds,
    read_steps,
    reason_to_stop,
)

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
ON = {"Anna", "Bob", "Team"}


def seconds(policy: Policy, on: set[str] = ON) -> list[tuple[int, str]]:
    """When after the beginning each channel is called."""
    calls = calls_of(policy, on, NOW)
    return [(round((call.due_at - NOW).total_seconds()), call.channel) for call in calls]


def test_it_calls_step_by_step_and_then_all_over_again() -> None:
    policy = Policy((Step(0, ("Anna",)), Step(600, ("Anna", "Bob"))), 1, 900)
    first = [(0, "Anna"), (600, "Anna"), (600, "Bob")]
    assert seconds(policy) == first + [(at + 1500, name) for at, name in first]


@pytest.mark.parametrize(
    ("policy", "on", "expected"),
    [
        (Policy(), ON, []),
        (Policy((Step(0, ("Anna",)),)), set(), []),
        (Policy((Step(0, ("Anna",)), Step(60, ("Bob",)))), {"Bob"}, [(60, "Bob")]),
        (Policy((Step(300, ("Gone",)),)), {"Bob", "Anna"}, [(0, "Anna"), (0, "Bob")]),
    ],
    ids=["log only", "no channels", "one is off", "all it names are off"],
)
def test_it_leaves_nobody_uncalled(
    policy: Policy, on: set[str], expected: list[tuple[int, str]]
) -> None:
    """What is switched off is passed over; if nothing is left of a policy, all are called."""
    assert seconds(policy, on) == expected


@given(
    times=st.sets(st.integers(0, 86_400), min_size=1, max_size=5),
    repeats=st.integers(0, 10),
    pause=st.integers(60, 86_400),
)
def test_it_calls_nobody_twice_for_one_step_and_round(
    times: set[int], repeats: int, pause: int
) -> None:
    """And in the order of time."""
    policy = Policy(tuple(Step(at, ("Anna", "Bob")) for at in sorted(times)), repeats, pause)
    calls = calls_of(policy, ON, NOW)
    keys = [(call.step, call.round, call.channel) for call in calls]
    assert len(set(keys)) == len(keys) == len(times) * (repeats + 1) * 2
    assert [call.due_at for call in calls] == sorted(call.due_at for call in calls)
    assert calls[0].due_at >= NOW


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        "Anna",
        ["Anna"],
        [{}],
        [{"after_seconds": 0}],
        [{"channels": ["Anna"]}],
        [{"after_seconds": 0, "channels": []}],
        [{"after_seconds": 0, "channels": [""]}],
        [{"after_seconds": 0, "channels": [7]}],
        [{"after_seconds": 0, "channels": "Anna"}],
        [{"after_seconds": 0, "channels": ["x" * 101]}],
        [{"after_seconds": 0, "channels": ["Anna", "Anna"]}],
        [{"after_seconds": 0, "channels": ["Anna"], "repeat": 1}],
        [{"after_seconds": -1, "channels": ["Anna"]}],
        [{"after_seconds": 86_401, "channels": ["Anna"]}],
        [{"after_seconds": 1.5, "channels": ["Anna"]}],
        [{"after_seconds": "0", "channels": ["Anna"]}],
        [{"after_seconds": True, "channels": ["Anna"]}],
        [{"after_seconds": 60, "channels": ["Anna"]}, {"after_seconds": 60, "channels": ["Bob"]}],
        [{"after_seconds": 60, "channels": ["Anna"]}, {"after_seconds": 0, "channels": ["Bob"]}],
        [{"after_seconds": at, "channels": ["Anna"]} for at in range(11)],
    ],
    ids=repr,
)
def test_it_refuses_steps_that_are_none(document: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_steps(document)


@pytest.mark.parametrize(
    ("over", "opened", "acknowledged", "reason"),
    [
        ("", -60, None, ""),
        ("resolved", -60, None, "the incident is resolved"),
        ("ignored", -60, None, "the incident is ignored"),
        ("", -60, 30, "somebody has it"),
        ("", -60, -30, "somebody has it"),
        ("", -60, -60, "somebody has it"),
        ("", -60, -90, ""),
        ("", 60, None, "the incident was opened anew"),
    ],
)
def test_it_stops_when_somebody_has_it_or_it_is_over(
    over: str, opened: int, acknowledged: int | None, reason: str
) -> None:
    """Seconds from the escalation. An acknowledgement of an earlier opening does not count."""
    at = None if acknowledged is None else NOW + timedelta(seconds=acknowledged)
    standing = Standing(over, NOW + timedelta(seconds=opened), at, NOW)
    assert reason_to_stop(standing) == reason


def test_it_tries_again_later_and_later_and_then_gives_up() -> None:
    pauses = [pause_seconds(n) for n in range(1, MAX_ATTEMPTS + 1)]
    assert pauses == [5, 15, 45, 135, MAX_PAUSE_SECONDS, None]
