"""How far an action may go for a signature: trust is earned by verified successes. Pure. [D5]

    observe    nothing runs; the decision is shown
    suggest    nothing runs by itself; a person may start it
    approve    it waits for a person
    automatic  it runs by itself

So many verified successes on a rung climb to the next. What failed, came back or was taken back
falls one rung and begins to count anew; what a person rejected only begins to count anew, for the
action was judged and not seen to fail. Where it begins the policy says, or a person who sets it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ai.record import BAD
from safety.rule_types import RUNGS, Rung

# Of older outcomes nothing is counted any more.
LOOKED_BACK = 200


@dataclass(frozen=True, slots=True)
class Trust:
    """`successes` on this rung, of the `needed`; `set_by` who set where it began, if anybody."""

    rung: Rung
    successes: int = 0
    needed: int = 5
    set_by: str = ""

    @property
    def to_next(self) -> str:
        """`2 of 5 to automatic`; empty on the highest rung."""
        if self.rung == RUNGS[-1]:
            return ""
        return f"{self.successes} of {self.needed} to {_rung(self.rung, 1)}"

    def after(self, result: str) -> Trust:
        """The trust once a recovery has ended so (`ai.models.OutcomeResult`)."""
        if result in BAD:
            return replace(self, rung=_rung(self.rung, -1), successes=0)
        if result != "succeeded" or self.rung == RUNGS[-1]:
            return replace(self, successes=0)
        if self.successes + 1 < self.needed:
            return replace(self, successes=self.successes + 1)
        return replace(self, rung=_rung(self.rung, 1), successes=0)


@dataclass(frozen=True, slots=True)
class Climb:
    """How recoveries ended, the oldest first: since a person set the rung, if anybody did."""

    results: tuple[str, ...] = ()
    set_to: Rung | None = None
    set_by: str = ""

    def then(self, result: str) -> Climb:
        """One more recovery has ended so; what came back turns the newest success."""
        results = list(self.results)
        if result == "recurred" and "succeeded" in results:
            results[len(results) - 1 - results[::-1].index("succeeded")] = result
        else:
            results.append(result)
        return replace(self, results=tuple(results[-LOOKED_BACK:]))

    def trust(self, start: Rung, needed: int) -> Trust:
        """Where that leads from the rung `start`, with `needed` successes a rung."""
        trust = Trust(self.set_to or start, 0, needed, self.set_by)
        for result in self.results[-LOOKED_BACK:]:
            trust = trust.after(result)
        return trust


def _rung(rung: Rung, steps: int) -> Rung:
    return RUNGS[min(max(RUNGS.index(rung) + steps, 0), len(RUNGS) - 1)]
