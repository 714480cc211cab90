"""Which incidents are one picture, and which came of which: rules, order and drawing [I4]."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.detail.correlation import (
    AT_ONCE,
    CASCADE,
    EDGE,
    MOST,
    WIDTH,
    WINDOW,
    Case,
    finding_of,
    picture_of,
    relate,
)

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def case(
    number: int,
    workflow: str = "payments.capture",
    vendor: str = "stripe",
    after: timedelta = timedelta(0),
    runs: frozenset[str] = frozenset(),
) -> Case:
    return Case(UUID(int=number), f"INC-{number}", workflow, vendor, T0 + after, None, runs)


ASKED = case(1, runs=frozenset({"order-7"}))
RUN = frozenset({"order-7", "order-9"})


@pytest.mark.parametrize(
    ("other", "kind", "reason"),
    [
        (case(2, "crm.sync", "hubspot", 42 * SECOND, RUN), "cascade",
         "crm.sync began to fail 42 s after payments.capture; both ran as order-7"),
        (case(2, "crm.sync", "Stripe", -300 * SECOND), "cascade",
         "payments.capture began to fail 5 min after crm.sync; both call stripe"),
        (case(2, "crm.sync", "stripe", CASCADE + SECOND), "vendor",
         "crm.sync fails too, begun 10 min later; both call stripe"),
        (case(2, "crm.sync", "stripe"), "vendor",
         "crm.sync fails too, begun at the same moment; both call stripe"),
        (case(2, "payments.capture", "adyen", 42 * SECOND, RUN), "correlation",
         "INC-2: both ran as order-7"),
        (case(2, "crm.sync", "hubspot", 5 * WINDOW, RUN), "correlation",
         "INC-2: both ran as order-7"),
    ],
)  # fmt: skip
def test_it_tells_how_two_hang_together(other: Case, kind: str, reason: str) -> None:
    """A cascade goes by time alone, and says what is shared."""
    [found] = relate(ASKED, [other])
    assert (found.kind, found.reason) == (kind, reason)
    if kind == "cascade":
        later = other if other.began_at > T0 else ASKED
        assert found.effect == later.id
        assert found.cause == ({ASKED.id, other.id} - {later.id}).pop()


@pytest.mark.parametrize(
    "other",
    [
        case(2, "crm.sync", "hubspot"),
        case(2, "crm.sync", "stripe", WINDOW + SECOND),
        case(2, "payments.capture", "stripe", 42 * SECOND),
        case(2, "crm.sync", "", runs=frozenset({"order-8"})),
        ASKED,
    ],
)
def test_it_relates_nothing_else(other: Case) -> None:
    """Another vendor, too late, the same workflow's other failures, other runs, itself."""
    assert relate(ASKED, [other]) == []


def test_no_vendor_is_no_vendor_in_common() -> None:
    """Two empty names are not the same one."""
    assert relate(case(1, vendor=""), [case(2, "crm.sync", "", 5 * SECOND)]) == []


def test_the_strongest_comes_first_and_no_more_than_are_read() -> None:
    vendor = [case(10 + n, f"w{n}", "stripe", n * SECOND + AT_ONCE) for n in range(20)]
    same_run = case(5, "payments.capture", "", 900 * SECOND, RUN)
    found = relate(ASKED, [*reversed(vendor), same_run])
    assert len(found) == MOST
    assert [one.other.label for one in found[:3]] == ["INC-5", "INC-10", "INC-11"]
    assert finding_of(found).endswith(". 7 more are related.")
    assert finding_of([]) == ""


cases = st.builds(
    case,
    st.integers(2, 40),
    st.sampled_from(["payments.capture", "crm.sync", "stock"]),
    st.sampled_from(["", "stripe", "STRIPE", "hubspot"]),
    st.timedeltas(-2 * WINDOW, 2 * WINDOW),
    st.frozensets(st.sampled_from(["order-7", "order-8"])),
)


@given(cases)
def test_it_is_the_same_seen_from_either_side(other: Case) -> None:
    """Who asks changes neither the kind nor the direction."""
    there, back = relate(ASKED, [other]), relate(other, [ASKED])
    assert [(r.kind, r.cause, r.effect) for r in there] == [
        (r.kind, r.cause, r.effect) for r in back
    ]
    for relation in there:
        if relation.cause:
            assert relation.cause == min((ASKED, other), key=lambda one: one.began_at).id


@given(st.lists(cases, unique_by=lambda one: one.id), st.timedeltas(-WINDOW, 3 * WINDOW))
def test_the_drawing_keeps_within_its_edges(others: list[Case], since: timedelta) -> None:
    """One lane each in the order of their beginning; arrows go down, within; none is of nothing."""
    relations = relate(ASKED, others)
    picture = picture_of(ASKED, relations, T0 + since)
    if not relations:
        assert picture is None
        return
    assert picture is not None
    assert [lane.case.id for lane in picture.lanes if lane.asked] == [ASKED.id]
    assert len(picture.lanes) == len(relations) + 1
    began = [lane.case.began_at for lane in picture.lanes]
    assert began == sorted(began)
    for lane in picture.lanes:
        assert EDGE <= lane.x <= WIDTH - EDGE
        assert lane.x + lane.width <= WIDTH - EDGE + 2
        assert 0 < lane.text_y < lane.y < picture.height
    assert len(picture.arrows) == sum(one.kind == "cascade" for one in relations)
