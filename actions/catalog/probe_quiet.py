"""Does the failure stay away? [A9] For a recovery that did not last was none."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.probing import acted_until, failed_since, failures_in_hand


class Quiet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`seconds`: how long no failure of the incident's signature may come in."""

    seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 60


class ProbeQuiet(Kind):
    name = "probe_quiet"
    label = "Failure stays away"
    says = "Watches that no further failure of the same signature comes in."
    parameters = Quiet
    ends = "when_asked"
    probe = True

    def takes_seconds(self, parameters: Quiet) -> float:
        return parameters.seconds

    def preview(self, order: Order, parameters: Quiet) -> Preview:
        return Preview(says=f"Watches for {parameters.seconds} s that the same failure stays away.")

    def run(self, order: Order, parameters: Quiet) -> Outcome | Send:
        return self.ask(order, parameters)

    def ask(self, order: Order, parameters: Quiet) -> Outcome | Send:
        incident, since = order.action.incident, order.action.sent_at
        assert since is not None
        if failed_since(incident, acted_until(order.action)):
            return Outcome("accepted", 0, "It failed the same way again", ended=False)
        until = since + timedelta(seconds=parameters.seconds)
        over = order.now >= until and not failures_in_hand(incident, until)
        return Outcome("accepted", 0, f"No failure for {parameters.seconds} s", ended=over or None)


KIND = ProbeQuiet()
