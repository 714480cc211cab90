"""Let the workflow's standby engine run its retries, until that is taken back [A1]."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.lifecycle import note
from actions.plans.document import Call
from actions.retry_call import Endpoint
from awfdrs_site.kernel.actor import MACHINE
from tenants.engines import fail_over
from tenants.models import Engine, Workflow


class Failover(Kind):
    name = "failover"
    label = "Fail over"
    says = "Sends the workflow's retries to its standby engine from now on."
    reversible = True
    calls_vendor = False

    def preview(self, order: Order, parameters: Any) -> Preview:
        workflow = order.action.incident.workflow
        if not workflow.standby_retry_url:
            return Preview(says=f"Fails: {workflow.name} has no standby engine.")
        return Preview(
            says=f"Sends the retries of {workflow.name} to its standby engine from then on.",
            calls=(f"Retries: POST {workflow.standby_retry_url}",),
            undo="Sends them to its own engine again.",
        )

    def run(self, order: Order, parameters: Any) -> Outcome | Send:
        action, incident, now = order.action, order.action.incident, order.now
        workflow = incident.workflow
        if objection := _objection(workflow):
            return Outcome("refused", 0, objection)
        if not fail_over(
            workflow=workflow, by=incident.label, action_id=action.pk, actor=MACHINE, now=now
        ):
            return Outcome("accepted", 0, f"{workflow} runs on its standby engine already")
        text = f"Retries of {workflow} go to its standby engine"
        note(action, text, now)
        return Outcome("accepted", 0, text, result={"workflow": workflow.name})

    def undo(self, order: Order, parameters: Any) -> Call | None:
        return Call("failback") if "workflow" in order.action.result else None


def _objection(workflow: Workflow) -> str:
    if not workflow.standby_retry_url:
        return f"{workflow} has no standby engine"
    endpoint = workflow.endpoint(Engine.STANDBY)
    return Endpoint(*endpoint, settings.RETRY_ALLOWED_HOSTS).objection()


KIND = Failover()
