"""What would have happened: the events of the past under two sets of rules. Pure [S10].

Both sides live through the same events by the same functions; what differs between them is what
the draft changes. What neither side can know (what a person would have said, whether a retry that
was never sent would have worked) is not guessed: see docs/rules.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from actions.whatif.facts import Opening, Seen, Tally, World
from actions.whatif.memory import Surroundings
from actions.whatif.side import Side
from actions.whatif.stages import Deciding
from incidents.detecting.signature import signature_of
from safety.codes import telling_code
from safety.rule_types import Ruleset

PROGRESS_EVERY = 5_000
# Signatures kept at hand; beyond it they are computed anew.
MOST_SIGNATURES = 200_000


@dataclass(frozen=True, slots=True)
class Change:
    """An opening that would have come to something else; None: not an incident on that side."""

    event_id: str
    now: Opening | None
    draft: Opening | None

    @property
    def first(self) -> Opening:
        found = self.now or self.draft
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class Replay:
    """What the two sides came to. `days`: (day, now, draft), every day with an event."""

    events: int
    now: Tally
    draft: Tally
    days: tuple[tuple[date, Tally, Tally], ...]
    changes: tuple[Change, ...]

    def totals_json(self) -> dict[str, Any]:
        return {"now": self.now.to_json(), "draft": self.draft.to_json()}


class Signer:
    """Signatures of events; each kind of failure is worked out once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], str] = {}
        self._telling: dict[str, bool] = {}

    def sign(self, seen: Seen) -> str:
        key = self._key(seen)
        found = self._known.get(key)
        if found is None:
            found = signature_of(
                workflow_id=seen.workflow,
                event_type=seen.event_type,
                error_code=seen.code,
                error_message=seen.message,
                fingerprint=seen.fingerprint,
            ).digest
            if len(self._known) >= MOST_SIGNATURES:
                self._known.clear()
            self._known[key] = found
        return found

    def _key(self, seen: Seen) -> tuple[str, ...]:
        """What the signature depends on, no more (see incidents/detecting/signature.py)."""
        if seen.fingerprint.strip():
            return "fingerprint", seen.workflow, seen.fingerprint
        tells = self._telling.get(seen.code)
        if tells is None:
            tells = self._telling[seen.code] = bool(telling_code(seen.code))
        if tells:
            return "code", seen.workflow, seen.code
        return "message", seen.workflow, seen.event_type, seen.message


def replay(
    events: Iterable[Seen],
    now: Ruleset,
    draft: Ruleset,
    world: World,
    progress: Callable[[int], None] = lambda done: None,
    until: datetime | None = None,
) -> Replay:
    """Live through `events` (in order of receipt) under both rulesets.

    What is due goes on until `until` (by default a second after the last event). Calls `progress`
    with the number of events done, each 5,000 events.
    """
    same = now.event_types == draft.event_types
    signer, deciding, around = Signer(), Deciding(), Surroundings()
    other = around if same else Surroundings()
    ours, theirs = Side(now, world, deciding, around), Side(draft, world, deciding, other)
    done, last = 0, None
    for done, seen in enumerate(events, 1):
        kind, draft_kind = ours.kind(seen.event_type), theirs.kind(seen.event_type)
        fails = kind == "failure" or draft_kind == "failure"
        signature = signer.sign(seen) if fails else ""
        # What is due before the event comes first, for it looks at what was before the event.
        ours.stages.run_until(seen.at)
        theirs.stages.run_until(seen.at)
        around.note(seen, kind)
        if not same:
            other.note(seen, draft_kind)
        ours.take(seen, kind, signature)
        theirs.take(seen, draft_kind, signature)
        last = seen.at
        if done % PROGRESS_EVERY == 0:
            progress(done)
    end = until or (last + timedelta(seconds=1) if last else None)
    if end is not None:
        for side in (ours, theirs):
            side.stages.run_until(end)
    return _result(done, ours, theirs)


def _result(events: int, ours: Side, theirs: Side) -> Replay:
    days = sorted(set(ours.days) | set(theirs.days))
    return Replay(
        events=events,
        now=_sum(ours),
        draft=_sum(theirs),
        days=tuple((day, ours.days[day], theirs.days[day]) for day in days),
        changes=tuple(_changes(ours.openings, theirs.openings)),
    )


def _sum(side: Side) -> Tally:
    total = Tally()
    for tally in side.days.values():
        total.add(tally)
    return total


def _changes(ours: dict[str, Opening], theirs: dict[str, Opening]) -> list[Change]:
    """Openings with another outcome, oldest first."""
    found = [
        Change(key, ours.get(key), theirs.get(key))
        for key in {**ours, **theirs}
        if (a := ours.get(key)) is None or (b := theirs.get(key)) is None or a.what() != b.what()
    ]
    return sorted(found, key=lambda change: (change.first.at, change.event_id))
