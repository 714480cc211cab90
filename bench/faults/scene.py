"""Who and what a scene has: a tenant, failing orders, and the engine and the person beside it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from actions import services
from actions.models import Action, ActionKind
from actions.states import ACTIVE, ActionStatus
from ai.models import Decision
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.models import Work
from awfdrs_site.kernel.problem import Problem
from bench.faults.crew import Crew
from bench.faults.kinds import SECRET
from bench.faults.target import Target
from bench.faults.worker import LEASE, ROUND
from incidents.detecting.detection import detect
from incidents.models import Incident
from incidents.states import IncidentStatus
from ingestion.services import ingest
from safety.models import AutomationPolicy
from tenants.access import Identity
from tenants.models import Scope, Tenant, Workflow
from tenants.services import create_tenant

PATIENCE_SECONDS = 60
BATCH = 500
WORKS_SECONDS = 2 * LEASE.total_seconds()
PERSON = Actor("person", "on-call")
# No cap, cooldown or window stands in the way: what is tested is not how often, but how often each.
NO_LIMITS = {
    "max_actions_per_hour": 1_000_000,
    "max_actions_per_day": 1_000_000,
    "max_workflow_retries_per_hour": 1_000_000,
    "max_incident_retries_per_day": 1_000_000,
    "cooldown_seconds": 0,
    "verify_seconds": 3600,
    "trust_start_plan": "automatic",
}
AT_ONCE = {
    "policy": "at once",
    "kind": "fixed",
    "max_retries": 5,
    "initial_delay_seconds": 0.0,
    "max_delay_seconds": 0.0,
    "multiplier": 1.0,
    "jitter_ratio": 0.0,
}
_numbers = itertools.count(1)


@dataclass
class Scene:
    """A tenant whose workflows are retried at the target: `talks` answers questions, `mute` not."""

    tenant: Tenant
    talks: Workflow
    mute: Workflow
    target: Target
    read: int = 0

    @classmethod
    def make(cls, name: str, target: Target) -> Scene:
        now = timezone.now()
        tenant = create_tenant(name=f"{name} {time.time_ns()}", actor=MACHINE, now=now)
        Tenant.objects.filter(pk=tenant.pk).update(events_per_minute=2_000_000_000)
        tenant.refresh_from_db()
        AutomationPolicy.objects.create(tenant=tenant, **NO_LIMITS)
        talks, mute = (
            Workflow.objects.create(
                tenant=tenant, name=name, retry_url=f"{target.url}/{name}", retry_secret=SECRET
            )
            for name in ("touch", "mute")
        )
        return cls(tenant, talks, mute, target)

    def post(self, workflow: Workflow, event_type: str, numbers: Sequence[int]) -> None:
        """Events of these orders, by the API's own service."""
        identity = Identity(self.tenant, Actor("sender", "engine"), frozenset(Scope.values))
        for first in range(0, len(numbers), BATCH):
            some = numbers[first : first + BATCH]
            documents = [self._document(workflow, event_type, number) for number in some]
            for verdict in ingest(identity=identity, documents=documents, now=timezone.now()):
                verdict.accepted()

    def _document(self, workflow: Workflow, event_type: str, number: int) -> dict[str, Any]:
        failed = {"error_code": f"code_{number}", "error_message": "Timed out"}
        return {
            "tenant_id": str(self.tenant.pk),
            "workflow_id": str(workflow.pk),
            "event_type": event_type,
            "payload": failed if event_type.endswith("failed") else {},
            "idempotency_key": f"{event_type}-{number}",
            "occurred_at": timezone.now().isoformat(),
            "schema_version": "1.0.0",
            "resource_type": "order",
            "resource_id": str(number),
        }

    def fail(self, workflow: Workflow, count: int) -> list[Incident]:
        """So many incidents, one failing order each, ready to be decided on."""
        numbers = [next(_numbers) for _ in range(count)]
        self.post(workflow, "order.failed", numbers)
        work.run_due("detect", detect)
        Incident.objects.filter(tenant=self.tenant, status=IncidentStatus.NEW).update(
            status=IncidentStatus.ANALYZING
        )
        found = Incident.objects.filter(workflow=workflow, resources__resource_id__in=numbers)
        return list(found.order_by("number"))

    def decide(self, incident: Incident, **fields: Any) -> Decision:
        """A decision to retry at once, sure enough to run by itself; not yet planned."""
        return Decision.objects.create(
            **{
                "tenant": self.tenant,
                "incident": incident,
                "type": "retry",
                "category": "transient_timeout",
                "severity": "high",
                "confidence": 0.97,
                "confidence_parts": {},
                "hypotheses": [],
                "similar": [],
                "reasoning": "It is a known transient failure.",
                "recommended_action": "Retry it.",
                "parameters": AT_ONCE,
                "model": "local-1",
                "inputs": {},
                "created_at": timezone.now(),
            }
            | fields
        )

    # Beside the workers

    def play_engine(self) -> None:
        """What was retried succeeds, and the workflow says so once a lost lease would be over: a
        success that came sooner would keep a second send from harm."""
        by_now = time.monotonic() - WORKS_SECONDS
        new = [call for call in self.target.calls[self.read :] if call.at < by_now]
        self.read += len(new)
        for workflow in (self.talks, self.mute):
            numbers = [
                int(resource["resource_id"])
                for call in new
                if call.body.get("workflow_id") == str(workflow.pk)
                for resource in call.body["resources"]
            ]
            # A second call of the same order is a duplicate, which the verdict counts.
            self.post(workflow, "order.succeeded", self._unsaid(numbers))

    def _unsaid(self, numbers: Sequence[int]) -> list[int]:
        from ingestion.models import Event

        keys = {f"order.succeeded-{number}": number for number in numbers}
        said = Event.objects.filter(tenant=self.tenant, idempotency_key__in=keys)
        said_keys = set(said.values_list("idempotency_key", flat=True))
        return [number for key, number in keys.items() if key not in said_keys]

    def play_person(self) -> None:
        """Who was called about an action in doubt ends the asking."""
        called = Action.objects.filter(tenant=self.tenant, kind=ActionKind.ESCALATE)
        for action in Action.objects.filter(
            tenant=self.tenant,
            status=ActionStatus.UNKNOWN,
            incident__in=called.values("incident"),
            result__asked__gte=3,
        ):
            try:
                services.cancel(action=action, actor=PERSON, now=timezone.now(), comment="looked")
            except Problem:
                continue  # it was settled meanwhile

    def play(self, crew: Crew, *, settled: Callable[[], bool]) -> bool:
        """Let all of them work until it is settled; whether it was, in a time without any step."""
        last, seen = time.monotonic(), -1
        while not (settled() and self._is_quiet(crew)):
            crew.tend()
            self.play_engine()
            self.play_person()
            if (steps := self._steps()) != seen:
                last, seen = time.monotonic(), steps
            if time.monotonic() - last > PATIENCE_SECONDS:
                return False
            time.sleep(0.1)
        crew.tend()  # somebody may have fallen since the last look
        return True

    def _steps(self) -> int:
        from awfdrs_site.kernel.models import AuditEntry

        return AuditEntry.objects.filter(tenant_id=self.tenant.pk).count()

    def _is_quiet(self, crew: Crew) -> bool:
        due = Work.objects.filter(tenant_id=self.tenant.pk, stage__in=ROUND)
        active = Action.objects.filter(tenant=self.tenant, status__in=ACTIVE)
        return not (
            crew.stopped
            or active.exists()
            or due.filter(due_at__lte=timezone.now()).exists()
            or self.read < len(self.target.calls)
        )

    def unknown(self) -> int:
        return Action.objects.filter(tenant=self.tenant, status=ActionStatus.UNKNOWN).count()
