"""End the pause that this recovery began; never a stop that a person made, or took over [A1]."""

from __future__ import annotations

from typing import Any

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.lifecycle import note
from actions.plans.document import Call
from awfdrs_site.kernel.actor import MACHINE
from safety.models import KillSwitch
from safety.selectors import engaged_switches
from safety.services import release_switch


class ResumeWorkflow(Kind):
    name = "resume_workflow"
    label = "Resume workflow"
    says = "Ends the pause that this recovery began, and no other stop."
    reversible = True
    undo_words = "Pauses it again for the time that was left."
    moves_switches = True
    calls_vendor = False

    def preview(self, order: Order, parameters: Any) -> Preview:
        workflow = order.action.incident.workflow.name
        return Preview(
            says=f"Lets automation of {workflow} go on, if this recovery paused it.",
            undo=self.undo_words,
        )

    def run(self, order: Order, parameters: Any) -> Outcome | Send:
        incident, now = order.action.incident, order.now
        switch = _own_switch(order)
        if switch is None:
            return Outcome("accepted", 0, f"No pause of {incident.workflow} is this recovery's")
        ends = switch.expires_at
        reason = f"Resumed for {incident.label}, action {order.key}"
        release_switch(switch=switch, reason=reason, actor=MACHINE, now=now)
        text = f"Automation of {incident.workflow} goes on"
        note(order.action, text, now)
        left = {"seconds": max(1, round((ends - now).total_seconds()))} if ends else {}
        return Outcome("accepted", 0, text, result={"switch": str(switch.pk)} | left)

    def undo(self, order: Order, parameters: Any) -> Call | None:
        result = order.action.result
        if "switch" not in result:
            return None
        return Call("pause_workflow", {"seconds": result["seconds"]} if "seconds" in result else {})


def _own_switch(order: Order) -> KillSwitch | None:
    """The engaged switch of the workflow that an action of this recovery engaged."""
    recovery = order.action.recovery
    own = set(recovery.actions.values_list("pk", flat=True)) if recovery else set()
    switches = engaged_switches(order.action.tenant_id, order.now)
    return next((switch for switch in switches if switch.action_id in own), None)


KIND = ResumeWorkflow()
