"""Changes are joined, never lost, and shown at most once a window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from awfdrs_site.kernel.windows import EVERYTHING, Windows
from awfdrs_site.live.outbox import Outbox

SECONDS = 0.25
steps = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.none() | st.tuples(*[st.sampled_from("ab")] * 3),
    ),
    max_size=30,
)


@given(steps)
def test_no_change_is_lost_or_shown_too_often(
    steps: list[tuple[int, tuple[str, ...] | None]],
) -> None:
    """Whatever comes when: each change is in a take after it, a tenant's takes are a window apart,
    and what waits is due by then.

    Seen red without the window.
    """
    windows, now, waiting = Windows(SECONDS, most=100), 0.0, set()
    taken_at: dict[str, float] = {}
    for pause, change in steps:
        now += pause / 1000
        if change:
            windows.add(*change)
            waiting.add(change)
        for tenant, changes in windows.take(now).items():
            assert now >= taken_at.get(tenant, -SECONDS) + SECONDS
            taken_at[tenant] = now
            waiting -= {(tenant, topic, key) for topic, keys in changes.items() for key in keys}
        due_at = windows.due_at()
        assert (due_at is None) == (not waiting)
        assert due_at is None or now < due_at <= now + SECONDS


def test_the_first_change_after_a_quiet_time_waits_for_nothing() -> None:
    windows = Windows(SECONDS, most=100)
    windows.add("a", "x", "1")
    assert windows.take(1.0) == {"a": {"x": {"1": None}}}
    windows.add("a", "x", "1")
    assert not windows.take(1.0 + SECONDS / 2)
    windows.add("b", "x", "1")
    assert list(windows.take(1.0 + SECONDS / 2)) == ["b"]


def test_too_much_to_name_is_everything() -> None:
    """Seen red without the bound."""
    windows = Windows(SECONDS, most=3)
    for number in range(50):
        windows.add("a", "x", str(number))
    assert windows.take(0.0) == {"a": {EVERYTHING: {}}}


@given(st.lists(st.integers(1, 60) | st.integers(-3, -1), max_size=40))
def test_a_page_never_has_more_under_way_than_its_bound(steps: list[int]) -> None:
    """A number is a frame of that size, below 0 the page's word that it took so many. Whatever was
    not sent is told of, once no more than half of the bound is under way.

    Seen red without the bound.
    """
    outbox, under_way, unsaid = Outbox(most=50), [], False
    for step in steps:
        if step < 0:
            told = outbox.took(-step)
            under_way = under_way[-step:]
            assert told == (unsaid and sum(under_way) <= 25)
            unsaid = unsaid and not told
        elif outbox.may_send(step):
            assert not unsaid
            under_way.append(step)
            assert len(under_way) == 1 or sum(under_way) <= 50
        else:
            unsaid = True
    assert outbox.is_behind == unsaid
