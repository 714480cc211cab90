"""A pause between two steps [A1]. It changes nothing, so the gate has nothing to say."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send


class Pause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`seconds`: of the pause."""

    seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class Wait(Kind):
    name = "wait"
    label = "Wait"
    says = "Waits before the next step."
    parameters = Pause
    ends = "when_asked"

    @property
    def acts(self) -> bool:
        return False

    def takes_seconds(self, parameters: Pause) -> float:
        return parameters.seconds

    def preview(self, order: Order, parameters: Pause) -> Preview:
        return Preview(says=f"Waits {parameters.seconds:g} s.", undo="Nothing to undo.")

    def run(self, order: Order, parameters: Pause) -> Outcome | Send:
        return self.ask(order, parameters)

    def ask(self, order: Order, parameters: Pause) -> Outcome | Send:
        assert order.action.sent_at is not None
        over = order.now >= order.action.sent_at + timedelta(seconds=parameters.seconds)
        return Outcome("accepted", 0, f"{parameters.seconds:g} s", ended=over or None)


KIND = Wait()
