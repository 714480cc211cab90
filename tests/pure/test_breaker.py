"""The breaker against the sentences of its documentation, and against a model that keeps it all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from safety import breaker as pure
from safety.breaker import TRANSITIONS, Breaker, BreakerPolicy, Outcome, State

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
POLICY = BreakerPolicy()
STATES: list[State] = list(TRANSITIONS)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def fed(outcomes: str, policy: BreakerPolicy = POLICY, start: Breaker | None = None) -> Breaker:
    """Reports one a second: `f`ailure, `s`uccess, slow (`l`)."""
    words: dict[str, Outcome] = {"f": "failure", "s": "success", "l": "slow"}
    breaker = start or Breaker()
    for second, letter in enumerate(outcomes):
        breaker = pure.record(breaker, policy, words[letter], later(second))
    return breaker


HALF = Breaker("half_open", NOW)


@pytest.mark.parametrize(
    ("outcomes", "changes", "state"),
    [
        ("f" * 9, {}, "closed"),
        ("f" * 10, {}, "open"),
        ("l" * 10, {}, "open"),
        ("s" * 9 + "f" * 9, {}, "closed"),
        ("s" * 9 + "f" * 10, {}, "open"),
        # Ten of thirty: a busy vendor with some failures is not down.
        ("s" * 20 + "f" * 10, {}, "closed"),
        ("s" * 20 + "f" * 10, {"failure_ratio": 0.0}, "open"),
        ("f" * 19, {"minimum_calls": 20}, "closed"),
        ("f" * 20, {"minimum_calls": 20}, "open"),
        # Nine of ten are still in the window when the tenth comes.
        ("f" * 10, {"window_seconds": 9}, "closed"),
        ("f" * 10, {"window_seconds": 10}, "open"),
    ],
)
def test_it_opens_when_its_numbers_say_so(
    outcomes: str, changes: dict[str, float], state: State
) -> None:
    assert fed(outcomes, replace(POLICY, **changes)).state == state  # type: ignore[arg-type]


def test_it_half_opens_by_the_clock_alone() -> None:
    breaker = fed("f" * 10)
    assert breaker.since == later(9)
    assert pure.half_open_at(breaker, POLICY) == later(309)
    assert pure.as_of(breaker, POLICY, later(308.9)).state == "open"
    assert pure.as_of(breaker, POLICY, later(309)) == Breaker("half_open", later(309))
    refused = pure.permit(breaker, POLICY, later(249))[1]
    assert (refused.allowed, refused.retry_after_seconds) == (False, 61)


def test_it_gives_out_its_probes_once_and_takes_them_back_when_they_expire() -> None:
    breaker, permits = HALF, []
    for number in range(5):
        breaker, permit = pure.permit(breaker, POLICY, later(number), f"h{number}")
        permits.append(permit)
    assert [permit.allowed for permit in permits] == [True, True, True, False, False]
    assert permits[4].retry_after_seconds == 120 - 4 + 1
    again = pure.permit(breaker, POLICY, later(5), "h0")
    assert again == (breaker, permits[0])
    assert not pure.permit(breaker, POLICY, later(119.9))[1].allowed
    breaker, permit = pure.permit(breaker, POLICY, later(120), "h5")
    assert permit.lease == pure.Lease("h5", later(240))
    assert not pure.holds(breaker, "h0")


def test_it_closes_when_all_probes_succeed_and_opens_when_one_fails() -> None:
    assert [fed("s" * n, start=HALF).state for n in range(4)] == [*["half_open"] * 3, "closed"]
    assert fed("ssf", start=HALF) == Breaker("open", later(2))
    assert fed("sl", start=HALF) == Breaker("open", later(1))


def test_a_report_settles_its_own_probe_or_the_oldest() -> None:
    breaker = HALF
    for holder in ("a", "b", "c"):
        breaker, _ = pure.permit(breaker, POLICY, NOW, holder)
    breaker = pure.record(breaker, POLICY, "success", later(1), "b")
    assert [lease.holder for lease in breaker.leases] == ["a", "c"]
    breaker = pure.record(breaker, POLICY, "success", later(1), "nobody")
    assert [lease.holder for lease in breaker.leases] == ["c"]
    # What passed is used up: only the third may still come back.
    assert pure.probes_free(breaker, POLICY) == 0
    assert pure.probes_free(pure.give_back(breaker, "c"), POLICY) == 1


@pytest.mark.parametrize("state", STATES)
def test_late_reports_move_nothing(state: State) -> None:
    breaker = Breaker(state, NOW)
    assert pure.record(breaker, replace(POLICY, failure_threshold=1), "failure", later(-1)) == (
        breaker
    )


def test_nothing_moves_what_a_person_holds() -> None:
    for state in ("forced_open", "disabled"):
        held = pure.force(Breaker(), state, NOW)
        assert fed("f" * 20 + "s" * 20, start=held) == held
        assert pure.as_of(held, POLICY, later(10**6)) == held
        assert pure.permit(held, POLICY, NOW)[1].allowed == (state == "disabled")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("to", STATES)
def test_a_person_takes_the_steps_of_the_table(state: State, to: State) -> None:
    breaker = replace(Breaker(state, NOW), passed=2)
    if to == state:
        assert pure.force(breaker, to, later(1)) == breaker
    elif to in TRANSITIONS[state]:
        assert pure.force(breaker, to, later(1)) == Breaker(to, later(1))
    else:
        with pytest.raises(ValueError, match=to):
            pure.force(breaker, to, later(1))


def test_what_a_person_does_forgets_what_was_counted() -> None:
    tripped = pure.force(fed("f" * 9), "open", NOW)
    assert tripped == Breaker("open", NOW)
    assert pure.force(tripped, "half_open", later(1)) == Breaker("half_open", later(1))
    assert pure.force(tripped, "closed", later(1)) == Breaker("closed", later(1))


def test_a_person_may_ask_for_probes_only_while_it_is_open() -> None:
    assert [state for state in STATES if "half_open" in pure.steps_by_hand(state)] == ["open"]
    assert pure.steps_by_hand("open") == ["closed", "half_open", "forced_open", "disabled"]


def test_probes_asked_for_by_hand_end_as_those_of_the_clock_do() -> None:
    """Whoever half-opened it: three successes close it, one failure opens it for the full time."""
    tripped = pure.force(Breaker(), "open", NOW)
    half = pure.force(tripped, "half_open", NOW)
    assert fed("sss", start=half) == Breaker("closed", later(2))
    again = fed("f", start=half)
    assert pure.half_open_at(again, POLICY) == later(300)


@given(st.lists(st.floats(0, 1), max_size=60), st.integers(1, 20))
def test_no_second_holds_more_starts_than_the_cap(chances: list[float], cap: int) -> None:
    starts = pure.spread(len(chances), cap, chances)
    assert starts == sorted(starts)
    assert starts[:1] in ([], [0.0])
    for number, start in enumerate(starts):
        within = [other for other in starts[number:] if other < start + 1 - 1e-9]
        assert len(within) <= cap
    assert not starts or starts[-1] <= 1.5 * len(starts) / cap


class AgainstModel(RuleBasedStateMachine):
    """The model keeps every report and lease for ever and counts anew each time."""

    policy = BreakerPolicy(
        failure_threshold=3,
        window_seconds=5,
        minimum_calls=4,
        failure_ratio=0.5,
        open_seconds=7,
        half_open_probes=2,
        probe_seconds=4,
    )

    def __init__(self) -> None:
        super().__init__()
        self.now, self.names = NOW, 0
        self.real = Breaker()
        self.state: State = "closed"
        self.since: datetime | None = None
        self.reports: list[tuple[datetime, Outcome]] = []
        self.out: dict[str, datetime] = {}
        self.passed = 0

    def enter(self, state: State, at: datetime) -> None:
        assert state in TRANSITIONS[self.state]
        self.state, self.since, self.reports, self.out, self.passed = state, at, [], {}, 0

    def tick(self) -> None:
        if self.state == "open" and self.since and self.now >= self.since + timedelta(seconds=7):
            self.enter("half_open", self.since + timedelta(seconds=7))
        self.out = {name: until for name, until in self.out.items() if until > self.now}

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 2.5, 7.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.tick()

    @rule(outcome=st.sampled_from(["success", "failure", "slow"]), mine=st.booleans())
    def reported(self, outcome: Outcome, mine: bool) -> None:
        holder = max(self.out, default="") if mine else ""
        self.real = pure.record(self.real, self.policy, outcome, self.now, holder)
        if self.state == "closed":
            self.reports.append((self.now, outcome))
            inside = [o for at, o in self.reports if int(at.timestamp()) > self.second() - 5]
            bad = len([o for o in inside if o != "success"])
            if bad >= 3 and len(inside) >= 4 and bad / len(inside) >= 0.5:
                self.enter("open", self.now)
        elif self.state == "half_open" and outcome != "success":
            self.enter("open", self.now)
        elif self.state == "half_open":
            self.passed += 1
            if self.passed == 2:
                self.enter("closed", self.now)
            elif self.out:
                del self.out[holder or min(self.out, key=int)]

    def second(self) -> int:
        return int(self.now.timestamp())

    @rule()
    def asked(self) -> None:
        self.names += 1
        name = f"{self.names:06}"
        self.real, permit = pure.permit(self.real, self.policy, self.now, name)
        free = self.passed + len(self.out) < 2
        allowed = self.state in ("closed", "disabled") or (self.state == "half_open" and free)
        assert permit.allowed == allowed
        assert allowed or (permit.retry_after_seconds or 0) >= 1
        if self.state == "half_open" and free:
            self.out[name] = self.now + timedelta(seconds=4)

    @precondition(lambda self: self.out)
    @rule()
    def given_back(self) -> None:
        name = min(self.out)
        del self.out[name]
        self.real = pure.give_back(pure.as_of(self.real, self.policy, self.now), name)

    @rule(to=st.sampled_from(STATES))
    def set_by_hand(self, to: State) -> None:
        seen = pure.as_of(self.real, self.policy, self.now)
        if to != self.state and to not in TRANSITIONS[self.state]:
            with pytest.raises(ValueError, match=to):
                pure.force(seen, to, self.now)
            return
        self.real = pure.force(seen, to, self.now)
        if to != self.state:
            self.enter(to, self.now)

    @invariant()
    def they_agree(self) -> None:
        seen = pure.as_of(self.real, self.policy, self.now)
        assert (seen.state, seen.since, seen.passed) == (self.state, self.since, self.passed)
        assert {lease.holder for lease in seen.leases} == set(self.out)
        assert seen.passed + len(seen.leases) <= 2
        assert Breaker.from_json(seen.state, seen.since, seen.to_json()) == seen
        assert len(seen.seconds) <= 5


TestAgainstModel = AgainstModel.TestCase
TestAgainstModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
