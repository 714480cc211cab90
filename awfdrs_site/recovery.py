"""How recovering went over a span: steps, sentences, table words. Pure: counts in, words out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from awfdrs_site.charts import difference, share
from awfdrs_site.kernel.ui.wording import duration
from awfdrs_site.spans import Span, ends


@dataclass(frozen=True)
class Ended:
    """Of the incidents that recovered in a time: how many, how many of them without a person, and
    the seconds from opened to resolved that half of them, and nine in ten, did not exceed."""

    total: int = 0
    alone: int = 0
    median: float | None = None
    p90: float | None = None

    @property
    def share(self) -> float | None:
        """In percent; None where nothing ended."""
        return share(self.alone, self.total) if self.total else None


@dataclass(frozen=True)
class Answered:
    """Of the incidents opened in a time: how many, how many were answered, and the seconds that it
    took half of those."""

    opened: int = 0
    answered: int = 0
    median: float | None = None


@dataclass(frozen=True)
class Totals:
    """A span, and the one before it."""

    ended: Ended
    ended_before: Ended
    answered: Answered
    answered_before: Answered

    @property
    def share_delta(self) -> float | None:
        return difference(self.ended.share, self.ended_before.share)

    @property
    def recover_delta(self) -> float | None:
        return difference(self.ended.median, self.ended_before.median)

    @property
    def answer_delta(self) -> float | None:
        return difference(self.answered.median, self.answered_before.median)


class Step(TypedDict):
    """One step: seconds and percent, None where there is nothing to measure; and the times said."""

    at: datetime
    ended: int
    alone: int
    share: float | None
    recover: float | None
    recover_words: str
    opened: int
    answered: int
    answer: float | None
    answer_words: str


def steps_of(
    starts: Sequence[datetime],
    ended: Mapping[int, Ended],
    answered: Mapping[int, Answered],
) -> list[Step]:
    """Every step, oldest first, quiet ones too; the figures come by number of the step, from 1."""
    return [
        _step(at, ended.get(number, Ended()), answered.get(number, Answered()))
        for number, at in enumerate(starts, start=1)
    ]


def _step(at: datetime, ended: Ended, answered: Answered) -> Step:
    return Step(
        at=at,
        ended=ended.total,
        alone=ended.alone,
        share=ended.share,
        recover=ended.median,
        recover_words=duration(ended.median),
        opened=answered.opened,
        answered=answered.answered,
        answer=answered.median,
        answer_words=duration(answered.median),
    )


def recovery_finding(span: Span, totals: Totals) -> str:
    """The chart in one sentence, for who cannot see it."""
    ended, answered = totals.ended, totals.answered
    said = []
    if ended.share is not None:
        said.append(
            f"{ended.share:.1f}% of {_incidents(ended.total)} recovered without a person in the "
            f"last {span.words}{_than_before(totals.share_delta, span)}"
        )
        said.append(f"half recovered within {duration(ended.median)}")
    if answered.answered:
        said.append(f"half were answered within {duration(answered.median)}")
    if not said and answered.opened:
        return f"Nothing recovered in the last {span.words}, and nothing was answered."
    if not said:
        return f"Nothing to recover in the last {span.words}."
    if ended.share is None:
        said.insert(0, f"nothing recovered in the last {span.words}")
    sentence = "; ".join(said)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _incidents(count: int) -> str:
    return f"{count:,} incident{'' if count == 1 else 's'}"


def _than_before(delta: float | None, span: Span) -> str:
    if delta is None:
        return ""
    if round(delta, 1) == 0:
        return f", as in the {span.words} before"
    more = "more" if delta > 0 else "less"
    return f", {abs(delta):.1f} points {more} than in the {span.words} before"


class SavedStep(TypedDict):
    """One step: the calls kept back, in the order of the series."""

    at: datetime
    until: datetime
    counts: list[int]
    total: int


@dataclass(frozen=True)
class Saved:
    """Calls that open breakers kept back over a span, by vendor; `before`: in the span before."""

    total: int
    before: int
    series: list[dict[str, str]]
    sums: list[int]
    steps: list[SavedStep]


HUES = ("blue", "violet", "green", "orange", "red", "slate")
OTHERS = "others"


def saved_of(
    starts: Sequence[datetime], now: datetime, rows: Iterable[tuple[int, str, int]]
) -> Saved:
    """From rows of (number of the step from 1, or 0 for the span before; vendor; calls).

    The vendors with the most calls are told apart; from the sixth on they are one.
    """
    found = list(rows)
    sums: dict[str, int] = {}
    for step, vendor, calls in found:
        if step:
            sums[vendor] = sums.get(vendor, 0) + calls
    named = sorted(sums, key=lambda vendor: (-sums[vendor], vendor))
    if len(named) > len(HUES):
        named = [*named[: len(HUES) - 1], OTHERS]
    place = {vendor: index for index, vendor in enumerate(named)}
    steps = [
        SavedStep(at=at, until=until, counts=[0] * len(named), total=0)
        for at, until in zip(starts, ends(starts, now), strict=True)
    ]
    for step, vendor, calls in found:
        if step:
            of = steps[step - 1]
            of["counts"][place.get(vendor, len(named) - 1)] += calls
            of["total"] += calls
    return Saved(
        total=sum(step["total"] for step in steps),
        before=sum(calls for step, _, calls in found if not step),
        series=[{"name": name, "tone": hue} for name, hue in zip(named, HUES, strict=False)],
        sums=[sum(step["counts"][index] for step in steps) for index in range(len(named))],
        steps=steps,
    )


def saved_finding(span: Span, saved: Saved) -> str:
    """The chart in one sentence."""
    if not saved.total:
        before = f"; {saved.before:,} in the {span.words} before" if saved.before else ""
        return f"Breakers kept no call back in the last {span.words}{before}."
    calls = f"{saved.total:,} call{'' if saved.total == 1 else 's'}"
    change = saved.total - saved.before
    than = f"{abs(change):,} {'more' if change > 0 else 'less'} than" if change else "as many as"
    most = saved.series[0]["name"]
    whom = f"all to {most}" if len(saved.series) == 1 else f"{saved.sums[0]:,} of them to {most}"
    return (
        f"Open breakers kept {calls} back in the last {span.words}, {than} in the {span.words} "
        f"before; {whom}."
    )
