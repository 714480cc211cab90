"""Ask the workflow's engine to run again what still fails, at once or at a pace [A1].

One signed POST to the workflow's retry endpoint (see `retry_call`); whether it helped, the
workflow's own events say.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import msgspec
from django.conf import settings

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.lifecycle import note
from actions.models import Action
from actions.pacing import chunk_of
from actions.retry_call import Endpoint, ask_status, request_retry
from awfdrs_site.kernel.problem import FieldError
from tenants.models import Engine

RESOURCES_SHOWN = 20
# Kinds of step that change which engine is asked.
_SWITCHES = {"failover", "failback"}


class Asked(msgspec.Struct, frozen=True):
    """`per_minute` may be given: so many resources a minute, in chunks (see `pacing`).

    What was asked for, and of which engine, stands there afterwards.
    """

    per_minute: Annotated[int, msgspec.Meta(ge=1, le=6_000)] | None = None
    failing: list[int] = msgspec.field(default_factory=list)
    engine: str = Engine.PRIMARY


class Retry(Kind):
    name = "retry"
    label = "Retry"
    says = "Asks the workflow's engine to run again what still fails."
    goes_to = "the workflow's engine"
    parameters = Asked
    ends = "by_events"

    def check(self, given: Mapping[str, Any], path: str = "parameters") -> list[FieldError]:
        unknown = [
            FieldError(f"{path}.{name}", "unknown_field", "Not a parameter of a retry.")
            for name in given
            if name != "per_minute"
        ]
        return unknown or super().check(given, path)

    def preview(self, order: Order, parameters: Asked) -> Preview:
        workflow, pace = order.action.incident.workflow, parameters.per_minute
        at_most = f", at most {pace} a minute" if pace else ""
        return Preview(
            says=f"Asks the engine of {workflow.name} to run again what still fails{at_most}.",
            calls=tuple(f"POST {workflow.endpoint(one)[0]}" for one in _engines(order.action)),
            undo="Nothing to undo: the engine runs its own work once more.",
        )

    def run(self, order: Order, parameters: Asked) -> Outcome | Send:
        action, incident, now = order.action, order.action.incident, order.now
        failing = list(chunk_of(action))
        # After a merge a thing may fail for several signatures; it is asked for once.
        things = dict.fromkeys((r.resource_type, r.resource_id) for r in failing if r.resource_id)
        resources = [{"resource_type": kind, "resource_id": name} for kind, name in things]
        action.parameters |= {
            "engine": incident.workflow.engine.value,
            "failing": [r.pk for r in failing],
            "resources": resources[:RESOURCES_SHOWN],
        }
        action.save(update_fields=["parameters"])
        text = f"Retry {action.attempt} of {action.max_attempts} sent to {incident.workflow.name}"
        if parameters.per_minute:
            text += f", part {action.chunk}: {len(failing)} at {parameters.per_minute} a minute"
        note(action, text, now)
        body = {
            "action_id": order.key,
            "incident_id": str(incident.pk),
            "incident_number": incident.number,
            "workflow_id": str(incident.workflow_id),
            "tenant_id": str(incident.tenant_id),
            "attempt": action.attempt,
            "correlation_id": action.correlation_id,
            "resources": resources,
            "requested_at": now.isoformat(),
        }
        return partial(request_retry, _endpoint(action), order.key, body, now)

    def ask(self, order: Order, parameters: Any) -> Outcome | Send:
        return partial(ask_status, _endpoint(order.action), order.key, order.now)


def _endpoint(action: Action) -> Endpoint:
    """Of the engine that got the call, or gets it; of actions from before there were two, the
    workflow's own."""
    engine = action.parameters.get("engine", Engine.PRIMARY)
    return Endpoint(*action.incident.workflow.endpoint(engine), settings.RETRY_ALLOWED_HOSTS)


def _engines(action: Action) -> tuple[str, ...]:
    """Which engines a retry may reach. In a plan that switches between them it is both, before
    and after it did: else its own failover would end the approval of its retry."""
    plan = action.recovery.plan() if action.recovery and action.step else None
    if plan is not None and any(step.kind in _SWITCHES for step in plan.steps()):
        return Engine.PRIMARY, Engine.STANDBY
    return (action.incident.workflow.engine,)


KIND = Retry()
