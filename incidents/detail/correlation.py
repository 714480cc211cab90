"""Which incidents belong to one picture, and which came of which [I4]. Pure: plain data in.

Two incidents are related when they share a correlation id, or call the same vendor from different
workflows and began within WINDOW of each other. If one workflow began to fail a little after the
other, within CASCADE, the later is told as what came of the earlier: the order in time is all that
is known, and the reason says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

WINDOW = timedelta(minutes=30)
CASCADE = timedelta(minutes=10)
# What began closer together than this has no order worth telling.
AT_ONCE = timedelta(seconds=1)
MOST = 8

Kind = Literal["cascade", "correlation", "vendor"]


@dataclass(frozen=True)
class Case:
    """An incident as this module sees it. `began_at`: of its present opening; `ended_at`: None
    while it is open. `runs`: correlation ids of its events."""

    id: UUID
    label: str
    workflow: str
    vendor: str
    began_at: datetime
    ended_at: datetime | None = None
    runs: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Relation:
    """How `other` hangs together with the incident that was asked about.

    `cause` and `effect`: their ids, of a cascade only. `gap_seconds`: from that incident's
    beginning to the other's, negative where the other was first.
    """

    kind: Kind
    other: Case
    gap_seconds: float
    reason: str
    cause: UUID | None = None
    effect: UUID | None = None


def relate(case: Case, others: Iterable[Case]) -> list[Relation]:
    """The relations of `case`, one each, the strongest and nearest first; at most MOST."""
    found = [relation for other in others if (relation := _relation(case, other))]
    return sorted(found, key=lambda one: _rank(case, one))[:MOST]


def _rank(case: Case, relation: Relation) -> tuple[bool, bool, float, UUID]:
    shares_run = bool(case.runs & relation.other.runs)
    return (
        not shares_run,
        relation.kind != "cascade",
        abs(relation.gap_seconds),
        relation.other.id,
    )


def _relation(case: Case, other: Case) -> Relation | None:
    if other.id == case.id:
        return None
    gap = other.began_at - case.began_at
    runs, elsewhere = case.runs & other.runs, case.workflow != other.workflow
    vendor = case.vendor if case.vendor.casefold() == other.vendor.casefold() else ""
    if not runs and not (vendor and elsewhere and abs(gap) <= WINDOW):
        return None
    shared = f"both ran as {min(runs)}" if runs else f"both call {vendor}"
    seconds = gap.total_seconds()
    if elsewhere and AT_ONCE <= abs(gap) <= CASCADE:
        first, then = (case, other) if seconds > 0 else (other, case)
        words = f"{then.workflow} began to fail {_span(gap)} after {first.workflow}; {shared}"
        return Relation("cascade", other, seconds, words, first.id, then.id)
    if runs:
        return Relation("correlation", other, seconds, f"{other.label}: {shared}")
    words = f"{other.workflow} fails too, begun {_when(gap)}; {shared}"
    return Relation("vendor", other, seconds, words)


def _when(gap: timedelta) -> str:
    if abs(gap) < AT_ONCE:
        return "at the same moment"
    return f"{_span(gap)} {'later' if gap > timedelta(0) else 'earlier'}"


def _span(gap: timedelta) -> str:
    seconds = round(abs(gap).total_seconds())
    return f"{seconds} s" if seconds < 100 else f"{round(seconds / 60)} min"


def finding_of(relations: Sequence[Relation]) -> str:
    """All of it in a sentence or two; "" where there is nothing."""
    if not relations:
        return ""
    more = len(relations) - 1
    tail = f" {more} more {'is' if more == 1 else 'are'} related." if more else ""
    return f"{relations[0].reason}.{tail}"


# The drawing: one lane an incident, in the order in which they began.
WIDTH, LANE, TOP, BAR, EDGE = 340, 34, 6, 6, 8


@dataclass(frozen=True)
class Lane:
    """A bar of one incident, in units of the drawing; `text_y` is the base line of its name."""

    case: Case
    x: float
    y: float
    width: float
    text_x: float
    text_y: float
    asked: bool
    at_end: bool


@dataclass(frozen=True)
class Arrow:
    """From the beginning of a cause to the beginning of its effect: down or up, then along."""

    path: str
    head: str


@dataclass(frozen=True)
class Picture:
    """`start` and `end` are the moments at the edges of the drawing."""

    lanes: Sequence[Lane]
    arrows: Sequence[Arrow]
    height: int
    start: datetime
    end: datetime


def picture_of(case: Case, relations: Sequence[Relation], now: datetime) -> Picture | None:
    """The lanes and arrows of the relations; None where there are none."""
    if not relations:
        return None
    cases = sorted(
        [case, *(one.other for one in relations)], key=lambda one: (one.began_at, one.id)
    )
    start = cases[0].began_at
    end = max(start + AT_ONCE, *(one.ended_at or now for one in cases), cases[-1].began_at)
    lanes = {one.id: _lane(at, one, start, end, one is case) for at, one in enumerate(cases)}
    arrows = [
        _arrow(lanes[one.cause], lanes[one.effect]) for one in relations if one.cause and one.effect
    ]
    return Picture(list(lanes.values()), arrows, TOP + LANE * len(cases), start, end)


def _lane(at: int, case: Case, start: datetime, end: datetime, asked: bool) -> Lane:
    def x_of(moment: datetime) -> float:
        share = (moment - start) / (end - start)
        return EDGE + (WIDTH - 2 * EDGE) * min(1.0, max(0.0, share))

    x = x_of(case.began_at)
    width = max(2.0, x_of(case.ended_at or end) - x)
    y = TOP + LANE * at + LANE - BAR - 8
    # A name that begins in the right half ends at the edge, or it would be cut.
    at_end = x > WIDTH / 2
    text_x = WIDTH - EDGE if at_end else x
    return Lane(case, round(x, 1), y, round(width, 1), round(text_x, 1), y - 5, asked, at_end)


def _arrow(cause: Lane, effect: Lane) -> Arrow:
    """Beside both bars' left ends, so that it crosses neither name."""
    x, y = cause.x + 1, cause.y + BAR
    to_x, to_y = effect.x, effect.y + BAR / 2
    head = f"{to_x:.1f},{to_y:.1f} {to_x - 5:.1f},{to_y - 3:.1f} {to_x - 5:.1f},{to_y + 3:.1f}"
    return Arrow(f"M{x:.1f} {y:.1f}V{to_y:.1f}H{max(x, to_x - 5):.1f}", head)
