"""What the pages of workflows show: how each fares, and one with what is known of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery

from actions.models import Action, ActionKind
from actions.plans.selectors import recoveries_for
from awfdrs_site.charts import Range
from awfdrs_site.figures import rate_chart, window_of
from awfdrs_site.kernel.problem import not_found
from incidents.models import Incident
from incidents.selectors import incidents_for
from incidents.states import OPEN
from ingestion import counts
from ingestion.counts import Window
from ingestion.models import Event
from safety.models import KillSwitch
from safety.selectors import policy_for
from safety.switches import switch_stopping
from tenants.access import Identity
from tenants.models import Scope, Tenant, Workflow
from tenants.selectors import admins_of

HOUR, TEN_MINUTES = timedelta(hours=1), timedelta(minutes=10)
HOURS = 24
# A reply older than that says nothing about whether the engine answers today.
REPLIES = timedelta(days=7)
SHOWN = 10


@dataclass
class Traffic:
    """What became of a workflow's runs: in each of 24 hours, oldest first, the running one last.

    `hour` is (failed, of how many) in the last hour, from the round ten minutes it began in.
    """

    failed: list[int] = field(default_factory=lambda: [0] * HOURS)
    succeeded: list[int] = field(default_factory=lambda: [0] * HOURS)
    hour: tuple[int, int] = (0, 0)

    @property
    def day(self) -> tuple[int, int]:
        """The same in all of the hours."""
        return sum(self.failed), sum(self.failed) + sum(self.succeeded)


@dataclass(frozen=True)
class Fare:
    """How a workflow fares. `stop`: what keeps its automation from running; `reply`: the last retry
    its engine was sent."""

    workflow: Workflow
    traffic: Traffic
    open: int
    stop: KillSwitch | None
    reply: Action | None

    @property
    def troubled(self) -> bool:
        """Whether it is worth a look before the others."""
        return bool(self.open or self.traffic.hour[0])


def workflows_for(tenant: Tenant) -> QuerySet[Workflow]:
    """By name, each with `last_event_at`."""
    newest = Event.objects.filter(tenant=tenant, workflow=OuterRef("pk")).order_by("-received_at")
    last = Subquery(newest.values("received_at")[:1])
    return Workflow.objects.filter(tenant=tenant).annotate(last_event_at=last).order_by("name")


def get_workflow_for(tenant: Tenant, pk: UUID) -> Workflow:
    """The tenant's workflow, or the same 404 that an unknown id gets."""
    workflow = workflows_for(tenant).filter(pk=pk).first()
    if workflow is None:
        raise not_found("No such workflow.", "workflow_not_found")
    return workflow


def list_page(tenant: Tenant, stops: Sequence[KillSwitch], now: datetime) -> dict[str, Any]:
    """Everything `workflows/list.html` asks for; the troubled ones first. Four queries."""
    rows, replies = traffic(tenant, now), last_replies(tenant, now)
    still_open = dict(
        Incident.objects.filter(tenant=tenant, status__in=OPEN)
        .values_list("workflow")
        .annotate(n=Count("pk"))
    )
    fares = [
        Fare(
            workflow=workflow,
            traffic=rows.get(workflow.pk, Traffic()),
            open=still_open.get(workflow.pk, 0),
            stop=switch_stopping(stops, "automation", workflow_id=workflow.pk),
            reply=replies.get(workflow.pk),
        )
        for workflow in workflows_for(tenant)
    ]
    return {"fares": sorted(fares, key=lambda fare: not fare.troubled)}


def traffic(tenant: Tenant, now: datetime) -> dict[UUID, Traffic]:
    """Of each workflow that sent an event lately. One query."""
    this_hour = _floor(now, HOUR)
    start = this_hour - HOUR * (HOURS - 1)
    lately = Window(_floor(now - HOUR, TEN_MINUTES), 2 * HOUR)
    hours, last = counts.read(tenant, Window(start, HOUR), lately, each=True)
    found: dict[UUID | None, Traffic] = defaultdict(Traffic)
    for step in hours:
        of = found[step.workflow_id]
        # What was stamped while the page was made belongs to the last hour.
        hour = min((step.at - start) // HOUR, HOURS - 1)
        of.failed[hour] += step.failures
        of.succeeded[hour] += step.successes
    for step in last:
        found[step.workflow_id].hour = (step.failures, step.failures + step.successes)
    return {pk: of for pk, of in found.items() if pk}


def _floor(at: datetime, step: timedelta) -> datetime:
    return at - (at - datetime.fromtimestamp(0, UTC)) % step


def last_replies(
    tenant: Tenant, now: datetime, workflow: Workflow | None = None
) -> dict[UUID, Action]:
    """The newest retry that was sent for each workflow (or the one), if lately. One query."""
    sent = Action.objects.filter(
        tenant=tenant, acts=True, kind=ActionKind.RETRY, sent_at__gte=now - REPLIES
    ).select_related("incident")
    if workflow is not None:
        sent = sent.filter(incident__workflow=workflow)
    newest = sent.order_by("incident__workflow_id", "-sent_at").distinct("incident__workflow_id")
    return {action.incident.workflow_id: action for action in newest}


def workflow_page(
    identity: Identity, workflow: Workflow, stops: Sequence[KillSwitch], rng: Range, now: datetime
) -> dict[str, Any]:
    """Everything `workflows/detail.html` asks for. Eight queries."""
    tenant = identity.tenant
    [steps] = counts.read(tenant, window_of(rng, now), workflow=workflow)
    incidents = incidents_for(tenant).filter(workflow=workflow)
    recoveries = recoveries_for(tenant).filter(incident__workflow=workflow)
    may_act = Scope.ACT in identity.scopes
    addresses = (workflow.retry_url, workflow.standby_retry_url)
    return {
        "workflow": workflow,
        "stop": switch_stopping(stops, "automation", workflow_id=workflow.pk),
        "reply": last_replies(tenant, now, workflow).get(workflow.pk),
        "hosts": [urlsplit(url).netloc.rpartition("@")[2] for url in addresses],
        "chart": rate_chart(tenant, rng, now, steps, workflow),
        "incidents": incidents.order_by("-last_seen_at")[:SHOWN],
        "recoveries": recoveries[:SHOWN],
        "policy": policy_for(tenant.pk, workflow.pk),
        "admins": [] if may_act else admins_of(tenant),
    }
