"""Has the workflow succeeded since the plan's last step that acted? [A9]"""

from __future__ import annotations

from typing import Annotated

import msgspec

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.probing import began_at, failed_since, succeeded_since


class Successes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`successes`: how many the workflow must report."""

    successes: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1


class ProbeSuccess(Kind):
    name = "probe_success"
    label = "Workflow succeeds"
    says = "Waits for successes that the workflow reports after the plan's last step."
    parameters = Successes
    ends = "when_asked"
    probe = True

    def preview(self, order: Order, parameters: Successes) -> Preview:
        workflow, wanted = order.action.incident.workflow.name, _count(parameters)
        return Preview(says=f"Waits until {workflow} reports {wanted}.")

    def run(self, order: Order, parameters: Successes) -> Outcome | Send:
        return self.ask(order, parameters)

    def ask(self, order: Order, parameters: Successes) -> Outcome | Send:
        incident, since = order.action.incident, began_at(order.action)
        if failed_since(incident, since):
            words = f"{incident.workflow} failed the same way again"
            return Outcome("accepted", 0, words, ended=False)
        found = succeeded_since(incident, since, parameters.successes)
        words = f"{found} of {_count(parameters)} of {incident.workflow}"
        return Outcome("accepted", 0, words, ended=found >= parameters.successes or None)


def _count(parameters: Successes) -> str:
    return f"{parameters.successes} success{'' if parameters.successes == 1 else 'es'}"


KIND = ProbeSuccess()
