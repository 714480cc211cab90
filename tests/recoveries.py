"""Plans and recoveries for tests, at any point of their life, without running them."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from actions.models import Action, Recovery, RecoveryPlan
from actions.plans.document import read_plan
from actions.states import ActionStatus
from incidents.models import Incident
from tenants.models import Tenant

# Kinds that are no catalog's: what a stored plan says is shown whatever became of its kinds.
KINDS = {"touch": False, "probe": True}
MEND = """name: {name}
title: Mend it
steps:
  - {{key: drain, kind: touch, undo: {{kind: touch}}}}
  - parallel:
      - {{key: left, kind: touch, retries: {{max_attempts: 2}}, undo: {{kind: touch}}}}
      - {{key: right, kind: touch}}
verify: {{kind: probe}}
"""
_versions = itertools.count(1)


def a_plan(tenant: Tenant | None = None, name: str = "mend", **fields: Any) -> RecoveryPlan:
    """A plan of a first step, two at once, and a probe."""
    source = fields.pop("source", MEND.format(name=name))
    return RecoveryPlan.objects.create(
        **{
            "tenant": tenant,
            "name": name,
            "version": next(_versions),
            "source": source,
            "document": read_plan(source, KINDS).to_json(),
            "created_at": timezone.now(),
            "created_by": "anna",
        }
        | fields
    )


def a_recovery(
    incident: Incident, status: str = "completed", plan: RecoveryPlan | None = None, **fields: Any
) -> Recovery:
    """A recovery that stands at `status`; a plan of its own unless one is given."""
    now: datetime = fields.pop("created_at", timezone.now())
    plan = plan or a_plan(incident.tenant)
    states = ("detecting", "analyzing", "planning", status)
    times = (now + timedelta(seconds=number) for number in range(len(states)))
    over = status in ("completed", "failed", "rolled_back", "needs_human")
    return Recovery.objects.create(
        **{
            "tenant": incident.tenant,
            "incident": incident,
            "template": plan,
            "document": plan.document,
            "status": status,
            "reason": f"It is {status}.",
            "history": [
                {"state": state, "at": at.isoformat(), "reason": f"It is {state}."}
                for state, at in zip(states, times, strict=True)
            ],
            "created_at": now,
            "finished_at": now + timedelta(minutes=2) if over else None,
        }
        | fields
    )


def an_attempt(
    recovery: Recovery, step: str, status: str = "succeeded", role: str = "do", **fields: Any
) -> Action:
    """One attempt of a step of the recovery."""
    now = timezone.now()
    return Action.objects.create(
        **{
            "tenant": recovery.tenant,
            "incident": recovery.incident,
            "recovery": recovery,
            "step": step,
            "role": role,
            "kind": "touch",
            "status": status,
            "receipt": {"outcome": "run", "checks": []},
            "result": {"reason": f"{step} {ActionStatus(status).label.lower()}."},
            "created_at": now,
            "due_at": now,
            "sent_at": now,
            "finished_at": now if status in ("succeeded", "failed") else None,
            "expires_at": now + timedelta(minutes=15) if status == "waiting" else None,
        }
        | fields
    )
