"""The moving window: against a model, under threads, from several processes [S4 P11]."""

from __future__ import annotations

import itertools
from collections import defaultdict
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from awfdrs_site.kernel.redis_client import redis_client
from safety.window import Answer, Limit, LocalWindow, SharedWindow, Use
from tests import processes
from tests.threads import at_once

MINUTE = 60_000_000
START = 1_700_000_000_000_000
Window = SharedWindow | LocalWindow


def shared() -> SharedWindow:
    return SharedWindow(redis_client())


@pytest.fixture(params=["shared", "local"])
def window(request: pytest.FixtureRequest) -> Window:
    return shared() if request.param == "shared" else LocalWindow()


@pytest.fixture
def name() -> str:
    """Counted by nobody else."""
    return uuid4().hex


def hit(window: Window, *limits: Limit, now_us: int | None = None) -> Answer:
    return window.ask(limits, counts=True, now_us=now_us)


NAMES = ("tenant", "stripe", "adyen")


class AgainstAList(RuleBasedStateMachine):
    """Whatever is asked when, the window answers as a list of every hit that passed would."""

    window: Window

    def __init__(self) -> None:
        super().__init__()
        self.window = self.make()
        self.run_name, self.now = uuid4().hex, START
        self.passed: dict[str, list[int]] = defaultdict(list)
        self.most = dict.fromkeys(NAMES, 3)

    def make(self) -> Window:
        raise NotImplementedError

    def limits(self, names: list[str]) -> list[Limit]:
        return [Limit(f"{self.run_name}:{name}", self.most[name]) for name in names]

    def counted(self, name: str) -> list[int]:
        return [at for at in self.passed[name] if at > self.now - MINUTE]

    def expected(self, names: list[str], over: int | None) -> Answer:
        uses = []
        for name in names:
            hits, most = self.counted(name), self.most[name]
            newest_first = sorted(hits, reverse=True)[:most]
            frees = newest_first[-1] + MINUTE - self.now if newest_first else MINUTE
            uses.append(Use(most, len(hits), frees))
        return Answer(tuple(uses), over, is_local=isinstance(self.window, LocalWindow))

    @rule(
        names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
        times=st.integers(1, 5),
    )
    def hits(self, names: list[str], times: int) -> None:
        for _ in range(times):
            full = [i for i, n in enumerate(names) if len(self.counted(n)) >= self.most[n]]
            over = full[0] if full else None
            if over is None:
                for name in names:
                    self.passed[name].append(self.now)
            answer = self.window.ask(self.limits(names), counts=True, now_us=self.now)
            assert answer == self.expected(names, over)

    @rule()
    def looks(self) -> None:
        full = [i for i, n in enumerate(NAMES) if len(self.counted(n)) >= self.most[n]]
        answer = self.window.ask(self.limits(list(NAMES)), counts=False, now_us=self.now)
        assert answer == self.expected(list(NAMES), full[0] if full else None)

    @rule(
        pause=st.one_of(st.integers(0, 2 * MINUTE), st.sampled_from([1, MINUTE - 1, MINUTE // 3]))
    )
    def waits(self, pause: int) -> None:
        self.now += pause

    @rule(name=st.sampled_from(NAMES), most=st.integers(0, 6))
    def is_edited(self, name: str, most: int) -> None:
        self.most[name] = most

    @invariant()
    def no_minute_holds_more(self) -> None:
        """More than was ever the limit at that time: the model itself is checked, too."""
        for hits in self.passed.values():
            for first, seventh in zip(hits, hits[6:], strict=False):
                assert seventh - first >= MINUTE


class SharedAgainstAList(AgainstAList):
    def make(self) -> Window:
        return shared()


class LocalAgainstAList(AgainstAList):
    def make(self) -> Window:
        return LocalWindow()


for machine in (SharedAgainstAList, LocalAgainstAList):
    machine.TestCase.settings = hypothesis_settings(
        max_examples=40, stateful_step_count=30, deadline=None
    )
TestSharedWindow = SharedAgainstAList.TestCase
TestLocalWindow = LocalAgainstAList.TestCase


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    most=st.integers(1, 6),
    pauses=st.lists(st.integers(0, 40_000_000), min_size=1, max_size=40),
)
def test_it_holds_in_any_minute(most: int, pauses: list[int]) -> None:
    """However the hits fall: a hit and the one that passed `most` later lie 60 s apart."""
    window, limit, passed = shared(), Limit(uuid4().hex, most), []
    for now in itertools.accumulate(pauses, initial=START):
        if hit(window, limit, now_us=now).over is None:
            passed.append(now)
    for first, last in zip(passed, passed[most:], strict=False):
        assert last - first >= MINUTE


def test_it_lets_exactly_the_limit_through_40_threads(window: Window, name: str) -> None:
    """Of 200 hits ten pass. Seen red with the script called twice, to look and to hit: 27."""
    limit = Limit(name, 10)
    outcomes = at_once(40, lambda _: [hit(window, limit).over is None for _ in range(5)])
    passed = [ok for outcome in outcomes for ok in outcome]  # type: ignore[attr-defined]
    assert (passed.count(True), len(passed)) == (10, 200)


PROCESS = """
from awfdrs_site.kernel.redis_client import redis_client
from safety.window import Limit, SharedWindow
from tests.threads import at_once
window = SharedWindow(redis_client())
print("ready", flush=True)
input()
def hits(_):
    return sum(
        window.ask([Limit({name!r}, 10)], counts=True).over is None for _ in range(5)
    )
print(sum(at_once(20, hits)), flush=True)
"""


def test_it_lets_exactly_the_limit_through_two_processes(name: str) -> None:
    """20 threads in each of two processes, 200 hits: ten pass, counted over both."""
    running = [processes.start(PROCESS.format(name=name), talks=True) for _ in range(2)]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        passed = [int(process.communicate(timeout=60)[0]) for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert sum(passed) == 10


def test_what_one_limit_refuses_costs_the_other_nothing(window: Window, name: str) -> None:
    """Neither order: the tenant pays nothing for the vendor's refusal, nor the vendor for its."""
    tenant, vendor = Limit(f"{name}:tenant", 5), Limit(f"{name}:vendor", 1)
    assert hit(window, tenant, vendor, now_us=START).over is None
    for limits in ((tenant, vendor), (vendor, tenant)):
        answer = hit(window, *limits, now_us=START)
        assert answer.over == limits.index(vendor)
        assert answer.tightest.limit == 1
        assert {use.limit: use.used for use in answer.uses} == {5: 1, 1: 1}


def test_it_says_when_one_more_is_free(window: Window, name: str) -> None:
    limit = Limit(name, 2)
    assert hit(window, limit, now_us=START).tightest.headers() == {
        "RateLimit-Limit": "2",
        "RateLimit-Remaining": "1",
        "RateLimit-Reset": "60",
    }
    hit(window, limit, now_us=START + 20_000_000)
    answer = hit(window, limit, now_us=START + 20_500_000)
    assert (answer.over, answer.tightest.reset_seconds) == (0, 40)
    assert hit(window, limit, now_us=START + 60_000_000 - 1).over == 0
    assert hit(window, limit, now_us=START + 60_000_000).over is None


def test_a_lowered_limit_frees_when_enough_hits_are_past(window: Window, name: str) -> None:
    """Five hits a second apart; with the limit now at 2 the fourth must be past, not the first."""
    for second in range(5):
        hit(window, Limit(name, 5), now_us=START + second * 1_000_000)
    now = START + 5_000_000
    answer = hit(window, Limit(name, 2), now_us=now)
    assert (answer.over, answer.tightest.remaining) == (0, 0)
    frees = now + answer.tightest.frees_us
    assert frees == START + 3_000_000 + MINUTE
    assert hit(window, Limit(name, 2), now_us=frees - 1).over == 0
    assert hit(window, Limit(name, 2), now_us=frees).over is None


def test_a_limit_of_zero_lets_nothing_through(window: Window, name: str) -> None:
    answer = hit(window, Limit(name, 0))
    assert (answer.over, answer.tightest.reset_seconds) == (0, 60)


def test_a_clock_set_back_neither_forgets_nor_locks_out(name: str) -> None:
    """A little: it waits for the clock. By more than the window: it starts anew."""
    window, limit = shared(), Limit(name, 2)
    assert [hit(window, limit, now_us=START).over for _ in range(2)] == [None, None]
    back = hit(window, limit, now_us=START - 30_000_000)
    assert (back.over, back.tightest.reset_seconds) == (0, 90)
    assert hit(window, limit, now_us=START - 3600_000_000).over is None
    assert hit(window, limit, now_us=START - 3600_000_000).tightest.used == 2


def test_it_keeps_nothing_once_the_minute_is_over(name: str) -> None:
    """Redis forgets a name that nobody hits; of one that is hit no more than the limit is kept."""
    window, limit = shared(), Limit(name, 3)
    for second in range(200):
        hit(window, limit, now_us=START + second * 1_000_000)
    (key,) = redis_client().keys(f"*{name}")  # type: ignore[misc]
    assert redis_client().llen(key) == 3
    assert 0 < redis_client().pttl(key) <= 60_000  # type: ignore[operator]


def test_it_asks_a_redis_that_forgot_the_script(window: Window, name: str) -> None:
    """After a restart or FLUSHALL the script is loaded anew."""
    hit(window, Limit(name, 3))
    redis_client().script_flush()
    redis_client().flushdb()
    assert hit(window, Limit(name, 3)).over is None
