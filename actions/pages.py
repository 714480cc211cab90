"""What the page of approvals shows, and what other pages need of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import (
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    Max,
    Q,
    QuerySet,
    Value,
    prefetch_related_objects,
)
from django.db.models.functions import Concat

from actions.history import runs_of
from actions.models import Action, ActionKind
from actions.previewing import preview_of
from actions.selectors import actions_for, approvals_for
from actions.states import ActionStatus
from ai.ladder import climbs, trust_of
from awfdrs_site.kernel.sql import Percentile
from incidents.detail.trends import first_id_at
from incidents.models import FailingResource
from incidents.ranking import SEVERITY_RANK
from safety.models import AutomationPolicy
from tenants.access import Identity
from tenants.models import Tenant
from tenants.selectors import admins_of

IN_FLIGHT = (
    ActionStatus.CLAIMED,
    ActionStatus.SENDING,
    ActionStatus.VERIFYING,
    ActionStatus.UNKNOWN,
)
CARDS = 50
JUST_DECIDED = 8
# No approval waits this long, so a decision of today is on an action made since.
LONGEST_WAIT = timedelta(days=2)


def approvals_page(identity: Identity, sort: str, now: datetime) -> dict[str, Any]:
    """Everything `actions/approvals.html` asks for."""
    tenant = identity.tenant
    may_act = "act" in identity.scopes
    waiting, begun = cards(tenant, sort, now), starting(tenant, now)
    return {
        "cards": waiting,
        "starting": begun,
        "queue": in_order([*waiting, *begun], sort),
        "last_approved": _last_decided(begun),
        "sort": sort if sort == "severity" else "expiring",
        "today": today(tenant, now),
        "decided": list(_decided(tenant, now).order_by("-decided_at")[:JUST_DECIDED]),
        "admins": [] if may_act else admins_of(tenant),
    }


def cards(tenant: Tenant, sort: str, now: datetime) -> list[Action]:
    """The approvals that wait, each with its auto line, history, trust and blast radius.

    Six queries.
    """
    rows = in_order(list(approvals_for(tenant, now)[:CARDS]), sort)
    prefetch_related_objects([row for row in rows if row.step], "recovery__actions")
    lines = auto_lines(tenant, now)
    failing = still_failing_counts([action.incident_id for action in rows])
    pairs = [(action.incident.signature, action.tried) for action in rows]
    runs, earned = runs_of(tenant, pairs), climbs(tenant.pk, pairs)
    for action, pair in zip(rows, pairs, strict=True):
        shown: Any = action
        shown.trust = trust_of(pair[1], earned[pair], policy_in(lines, action.incident.workflow_id))
        shown.threshold = auto_line(lines, action.incident.workflow_id)
        shown.runs = runs.get(pair)
        shown.needed = policy_in(lines, action.incident.workflow_id).approvals_needed(
            action.incident.severity
        )
        shown.preview = preview_of(action, now)
        shown.blast = blast_radius(action, failing.get(action.incident_id, 0))
    return rows


def in_order(rows: Sequence[Action], sort: str) -> list[Action]:
    """The next to expire first; or the most severe. What was approved keeps the place it had."""

    def place(action: Action) -> tuple[int, datetime | None, UUID]:
        rank = SEVERITY_RANK.get(action.incident.severity, len(SEVERITY_RANK))
        return rank if sort == "severity" else 0, action.expires_at, action.pk

    return sorted(rows, key=place)


def starting(tenant: Tenant, now: datetime) -> list[Action]:
    """What was approved and can still be taken back, the next to start first."""
    rows = actions_for(tenant).select_related("decision")
    rows = rows.filter(status=ActionStatus.PLANNED, due_at__gt=now)
    approved = rows.filter(decided_at__isnull=False, expires_at__isnull=False)
    return list(approved.order_by("due_at", "id")[:JUST_DECIDED])


def _last_decided(rows: Sequence[Action]) -> UUID | None:
    newest = max(rows, key=lambda action: (action.decided_at, action.pk), default=None)
    return newest.pk if newest else None


def blast_radius(action: Action, failing: int) -> list[tuple[str, str]]:
    """What the action touches if it is approved, as terms and words."""
    incident = action.incident
    workflow = incident.workflow.name
    runs = f"{failing:,} failed run{'' if failing == 1 else 's'}" if failing else "all that failed"
    terms = [("Runs again", runs), ("Workflow", workflow)]
    if incident.vendor:
        terms.append(("Calls", incident.vendor))
    return [*terms, ("Attempt", f"{action.attempt} of {action.max_attempts}")]


def still_failing_counts(incident_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """How many resources of each incident have not recovered."""
    failing = FailingResource.objects.filter(incident__in=incident_ids, recovered_at=None)
    thing = Concat("resource_type", Value(" "), "resource_id")
    counted = failing.values("incident_id").annotate(n=Count(thing, distinct=True))
    return dict(counted.values_list("incident_id", "n"))


def auto_lines(tenant: Tenant, now: datetime) -> list[AutomationPolicy]:
    """Every policy in force that may concern the tenant, the most specific first."""
    in_force = AutomationPolicy.objects.filter(AutomationPolicy.in_force(now))
    rows = in_force.filter(Q(tenant=tenant) | Q(tenant=None))
    return sorted(rows, key=lambda p: (p.tenant_id is None, p.workflow_id is None))


def auto_line(policies: Sequence[AutomationPolicy], workflow_id: UUID) -> float:
    """The confidence above which the workflow's retries run by themselves."""
    return policy_in(policies, workflow_id).threshold_for(ActionKind.RETRY)


def policy_in(policies: Sequence[AutomationPolicy], workflow_id: UUID) -> AutomationPolicy:
    """The one that holds for the workflow, of policies in the order of `auto_lines`."""
    fitting = (p for p in policies if p.workflow_id in (None, workflow_id))
    return next(fitting, AutomationPolicy())


def _decided(tenant: Tenant, now: datetime) -> QuerySet[Action]:
    """Approvals a person decided since midnight (UTC)."""
    return _since_midnight(tenant, now).filter(
        decided_at__gte=_midnight(now), expires_at__isnull=False
    )


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _since_midnight(tenant: Tenant, now: datetime) -> QuerySet[Action]:
    return actions_for(tenant).filter(pk__gte=first_id_at(_midnight(now) - LONGEST_WAIT))


def today(tenant: Tenant, now: datetime) -> dict[str, Any]:
    """What was decided today, and how long it took."""
    decided = Q(decided_at__gte=_midnight(now), expires_at__isnull=False)
    approved = decided & ~Q(status=ActionStatus.REJECTED)
    expired = Q(status=ActionStatus.EXPIRED, finished_at__gte=_midnight(now))
    wait = ExpressionWrapper(F("decided_at") - F("created_at"), output_field=DurationField())
    figures = _since_midnight(tenant, now).aggregate(
        decided=Count("pk", filter=decided),
        approved=Count("pk", filter=approved),
        verified=Count("pk", filter=approved & Q(status=ActionStatus.SUCCEEDED)),
        rejected=Count("pk", filter=decided & Q(status=ActionStatus.REJECTED)),
        expired=Count("pk", filter=expired),
        median_wait=Percentile(wait, 0.5, filter=decided),
        last_at=Max("decided_at", filter=decided),
    )
    return figures | {"median_wait_seconds": figures["median_wait"]}
