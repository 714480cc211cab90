"""Trust climbs by verified successes and falls by one failure; nobody else moves it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ai.trust import LOOKED_BACK, Climb, Trust
from safety.rule_types import RUNGS, Rung
from tests.pure.strategies import many

BAD = ["failed", "recurred", "reversed"]
results = st.lists(st.sampled_from(["succeeded", "rejected", *BAD]), max_size=60).map(tuple)
rungs = st.sampled_from(RUNGS)


def trust(*ended: str, start: Rung = "approve", needed: int = 5) -> Trust:
    return Climb(ended).trust(start, needed)


def test_five_verified_successes_climb_a_rung() -> None:
    good = ["succeeded"] * 5
    assert (trust(*good[:2]).rung, trust(*good[:2]).to_next) == ("approve", "2 of 5 to automatic")
    assert (trust(*good).rung, trust(*good).to_next) == ("automatic", "")
    assert trust(*good, *good[:4], start="observe").to_next == "4 of 5 to approve"


@pytest.mark.parametrize("bad", BAD)
def test_one_failure_falls_a_rung_and_counts_anew(bad: str) -> None:
    """Seen red with `after` leaving the rung as it was."""
    assert trust("succeeded", bad, "succeeded", start="automatic").to_next == "1 of 5 to automatic"
    assert trust("succeeded", bad).to_next == "0 of 5 to approve"


def test_a_rejection_counts_anew_and_falls_no_rung() -> None:
    assert trust("succeeded", "succeeded", "rejected").to_next == "0 of 5 to automatic"
    assert trust("rejected", start="automatic").rung == "automatic"


def test_what_a_person_sets_holds_until_something_ends() -> None:
    climb = Climb((), "observe", "anna")
    assert climb.trust("automatic", 5) == Trust("observe", 0, 5, "anna")
    assert Climb(("failed",), "automatic").trust("observe", 5).rung == "approve"


def test_what_came_back_turns_the_newest_success() -> None:
    climb = Climb().then("succeeded").then("rejected").then("recurred")
    assert climb.results == ("recurred", "rejected")
    assert Climb().then("recurred").results == ("recurred",)


@many
@given(results, rungs, st.integers(1, 9))
def test_it_never_runs_by_itself_that_soon_after_a_failure(
    ended: tuple[str, ...], start: Rung, needed: int
) -> None:
    """After a failure it takes at least `needed` verified successes."""
    after = trust(*ended, "failed", *["succeeded"] * (needed - 1), start=start, needed=needed)
    assert after.rung != "automatic"


@many
@given(results, rungs, st.integers(1, 9))
def test_older_outcomes_than_it_looks_back_change_nothing(
    ended: tuple[str, ...], start: Rung, needed: int
) -> None:
    newest = ("rejected",) * (LOOKED_BACK - len(ended)) + ended
    assert trust("failed", *newest, start=start, needed=needed) == trust(
        *newest, start=start, needed=needed
    )


class Ladder(RuleBasedStateMachine):
    """The ladder told by hand: a height, and the successes since it was reached."""

    @initialize(start=rungs, needed=st.integers(1, 4))
    def begin(self, start: Rung, needed: int) -> None:
        self.height, self.count, self.needed = RUNGS.index(start), 0, needed
        self.trust = Trust(start, 0, needed)

    @rule()
    def works(self) -> None:
        self.trust = self.trust.after("succeeded")
        if self.height < 3:
            self.count += 1
            if self.count == self.needed:
                self.height, self.count = self.height + 1, 0

    @rule(result=st.sampled_from(BAD))
    def fails(self, result: str) -> None:
        self.trust = self.trust.after(result)
        self.height, self.count = max(0, self.height - 1), 0

    @rule()
    def is_rejected(self) -> None:
        self.trust, self.count = self.trust.after("rejected"), 0

    @invariant()
    def stands_where_it_should(self) -> None:
        assert (RUNGS.index(self.trust.rung), self.trust.successes) == (self.height, self.count)
        assert (self.trust.to_next == "") == (self.trust.rung == "automatic")


TestLadder = Ladder.TestCase
