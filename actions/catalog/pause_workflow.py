"""Stop automation for the incident's workflow, until it is resumed or the time is over [A1 S6].

The stop is a kill switch like one a person engages, so it holds for every recovery but the one it
belongs to. One that is there already is left as it is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.lifecycle import note
from actions.plans.document import Call
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.ui.wording import duration
from safety.models import SwitchScope
from safety.selectors import engaged_switches
from safety.services import engage_switch


class Pause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`seconds`: when it ends by itself."""

    seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 3_600


class PauseWorkflow(Kind):
    name = "pause_workflow"
    label = "Pause workflow"
    says = "Stops automation for the workflow: only this recovery goes on."
    parameters = Pause
    reversible = True
    undo_words = "Resumes it, unless a person stopped it too."
    moves_switches = True
    calls_vendor = False

    def preview(self, order: Order, parameters: Pause) -> Preview:
        workflow, lasts = order.action.incident.workflow.name, duration(_lasts(parameters))
        return Preview(
            says=f"Stops automation for {workflow} for {lasts}.",
            undo=self.undo_words,
        )

    def run(self, order: Order, parameters: Pause) -> Outcome | Send:
        incident, now = order.action.incident, order.now
        workflow = incident.workflow
        switches = engaged_switches(incident.tenant_id, now)
        for switch in switches:
            if switch.scope == SwitchScope.WORKFLOW and switch.workflow_id == workflow.pk:
                text = f"{workflow} was stopped already, by {switch.engaged_by}"
                return Outcome("accepted", 0, text)
        switch = engage_switch(
            tenant=incident.tenant,
            scope=SwitchScope.WORKFLOW,
            workflow=workflow,
            reason=f"Paused for {incident.label}, action {order.key}",
            expires_at=now + _lasts(parameters),
            action_id=order.action.pk,
            actor=MACHINE,
            now=now,
        )
        text = f"Automation of {workflow} is paused for {duration(_lasts(parameters))}"
        note(order.action, text, now)
        return Outcome("accepted", 0, text, result={"switch": str(switch.pk)})

    def undo(self, order: Order, parameters: Pause) -> Call | None:
        return Call("resume_workflow") if "switch" in order.action.result else None


def _lasts(parameters: Pause) -> timedelta:
    return timedelta(seconds=parameters.seconds)


KIND = PauseWorkflow()
