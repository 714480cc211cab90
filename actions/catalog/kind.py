"""What a kind of action declares, and what all kinds share [A1].

    check      are these parameters good? (by their type; references may stand in them)
    preview    what exactly will happen, in words, before anybody approves it
    run        do it; what leaves this machine is a function handed back, called after the commit
    ask        how did it go? after a lost answer, and while the target works on it
    undo       what to call to take it back, if it can be taken back

`run` is called in the transaction that marks the action as being sent, under the kill switch lock.
A kind that only writes to our database does so there and returns its `Outcome`: nothing can be in
doubt. A kind that calls somebody returns a `Send`, which must read no database and must not raise
for anything the target does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from uuid import UUID

import msgspec

from actions.plans.document import Call
from actions.plans.expression import ExpressionError, references
from awfdrs_site.kernel.problem import FieldError

if TYPE_CHECKING:
    from actions.models import Action

Certainty = Literal["accepted", "refused", "unknown"]
# at_once: taken is done. when_asked: taken is begun, `ask` says how it goes. by_events: the
# workflow's own events say.
Ends = Literal["at_once", "when_asked", "by_events"]


@dataclass(frozen=True)
class Exchange:
    """One call over a connector, for its log. `status`: of the reply, 0 if there is none."""

    connector_id: UUID
    at: datetime
    method: str
    host: str
    status: int
    certainty: Certainty | Literal["dry_run"]
    duration_ms: int


@dataclass(frozen=True)
class Outcome:
    """What became of a call.

    `certainty`: `accepted` and `refused` are the target's own words; everything else is `unknown`,
    because a request whose answer was lost may well have been carried out. `status`: of an HTTP
    reply, 0 if there is none. `ended`: of a thing that takes its time, whether it ended well, badly
    or (None) not yet. `result`: what later steps may refer to. `exchanges`: the calls it took.
    """

    certainty: Certainty
    status: int
    detail: str
    ended: bool | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    exchanges: tuple[Exchange, ...] = ()


Send = Callable[[], Outcome]


@dataclass(frozen=True)
class Preview:
    """What will happen, for the person who approves. `calls`: who is called, and how."""

    says: str
    calls: tuple[str, ...] = ()
    undo: str = ""
    irreversible: bool = False


@dataclass(frozen=True)
class Order:
    """One action to carry out: the row (its incident loaded), and the instant."""

    action: Action
    now: datetime

    @property
    def key(self) -> str:
        """The target's Idempotency-Key."""
        return str(self.action.pk)


P = TypeVar("P", bound=msgspec.Struct)


class NoParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For a kind that needs none."""


class Kind:
    """What all kinds have in common; a kind overrides what it does."""

    name: str
    label: str
    # One sentence for people who choose a kind.
    says: str
    # Who gets it, in words; "" for what is done here.
    goes_to = ""
    parameters: type[msgspec.Struct] = NoParameters
    ends: Ends = "at_once"
    # Asks only, changes nothing: may verify a plan, passes the gate.
    probe = False
    in_plans = True
    # Tells people, or notes something: never held back by the gate.
    tells_people = False
    # Whether what it does can be taken back by `undo`.
    reversible = False
    # What `undo` does, or why there is none, for people.
    undo_words = ""
    # Whether it can be neither taken back nor repeated: every plan with it asks a person.
    irreversible = False
    # Whether it leads to a call to the incident's vendor: then its limit and breaker count.
    calls_vendor = True
    # Whether `run` engages or releases kill switches, so that it needs their lock alone.
    moves_switches = False

    @property
    def acts(self) -> bool:
        """Whether it changes something out there, so that the gate is asked."""
        return not (self.probe or self.tells_people)

    def takes_seconds(self, parameters: Any) -> float:
        """How long it takes by design; its timeout begins after that."""
        return 0.0

    def check(self, given: Mapping[str, Any], path: str = "parameters") -> list[FieldError]:
        """What is wrong with `given`, whose references are not filled in yet."""
        try:
            if any(True for _ in references(dict(given))):
                return self._check_names(given, path)
            self.read(given)
        except (msgspec.ValidationError, ExpressionError) as error:
            words, _, place = str(error).partition(" - at `$")
            return [FieldError(path + place.rstrip("`"), "invalid", f"{words}.")]
        return []

    def check_one(self, given: Mapping[str, Any], name: str, path: str) -> list[FieldError]:
        """What is wrong with the one parameter of `given` that `name` goes to, whatever references
        stand in the others."""
        top = name.partition(".")[0]
        types = {one.encode_name: one.type for one in msgspec.structs.fields(self.parameters)}
        try:
            msgspec.convert(given[top], types[top], strict=False)
        except KeyError:
            return [FieldError(path, "unknown_field", f"{self.label} has no such parameter.")]
        except msgspec.ValidationError as error:
            words = str(error).partition(" - at `$")[0]
            return [FieldError(path, "invalid", f"{words}.")]
        return []

    def read(self, given: Mapping[str, Any]) -> Any:
        """`given` as the kind's parameters. Raises msgspec.ValidationError."""
        return msgspec.convert(dict(given), self.parameters, strict=False)

    def _check_names(self, given: Mapping[str, Any], path: str) -> list[FieldError]:
        """The names alone: what a reference will hold is known when the step runs."""
        fields = msgspec.structs.fields(self.parameters)
        known = {one.encode_name for one in fields}
        wrong = [
            FieldError(f"{path}.{name}", "unknown_field", f"{self.label} has no such parameter.")
            for name in given
            if name not in known
        ]
        return wrong + [
            FieldError(f"{path}.{one.encode_name}", "required", f"{self.label} needs it.")
            for one in fields
            if one.required and one.encode_name not in given
        ]

    def lacks(self, tenant_id: UUID, given: Mapping[str, Any]) -> str:
        """What the tenant has not that a step of `given` parameters needs; empty if it has all."""
        return ""

    def preview(self, order: Order, parameters: Any) -> Preview:
        """What `run` will do. Reads, writes nothing, calls nobody."""
        raise NotImplementedError

    def run(self, order: Order, parameters: Any) -> Outcome | Send:
        """Do it, or hand back what does it. In the caller's transaction."""
        raise NotImplementedError

    def ask(self, order: Order, parameters: Any) -> Outcome | Send:
        """How it went. For a kind that is done here there is nothing to ask."""
        return Outcome("unknown", 0, "Nobody can be asked.")

    def undo(self, order: Order, parameters: Any) -> Call | None:
        """What takes back what this action did (see its `result`); None if nothing can.

        Reads the action alone: it is asked for every row of a list.
        """
        return None
