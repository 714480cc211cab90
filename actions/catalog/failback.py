"""Let the workflow's own engine run its retries again, if this recovery failed it over [A1]."""

from __future__ import annotations

from typing import Any

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.lifecycle import note
from actions.plans.document import Call
from awfdrs_site.kernel.actor import MACHINE
from tenants.engines import fail_back


class Failback(Kind):
    name = "failback"
    label = "Fail back"
    says = "Ends the failover that this recovery began, and no other."
    reversible = True
    calls_vendor = False

    def preview(self, order: Order, parameters: Any) -> Preview:
        workflow = order.action.incident.workflow
        return Preview(
            says=f"Sends the retries of {workflow.name} to its own engine again, if this recovery "
            "failed it over.",
            calls=(f"Retries: POST {workflow.retry_url}",),
            undo="Sends them to the standby engine again.",
        )

    def run(self, order: Order, parameters: Any) -> Outcome | Send:
        action, now = order.action, order.now
        workflow = action.incident.workflow
        own = set(action.recovery.actions.values_list("pk", flat=True)) if action.recovery else ()
        if not fail_back(workflow=workflow, actions=own, actor=MACHINE, now=now):
            return Outcome("accepted", 0, f"No failover of {workflow} is this recovery's")
        text = f"Retries of {workflow} go to its own engine again"
        note(action, text, now)
        return Outcome("accepted", 0, text, result={"workflow": workflow.name})

    def undo(self, order: Order, parameters: Any) -> Call | None:
        return Call("failover") if "workflow" in order.action.result else None


KIND = Failback()
