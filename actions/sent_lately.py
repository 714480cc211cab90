"""What was sent lately: what the gate's caps count, and what its cooldown looks at [S7 S9]."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from actions.models import Action, Recovery
from incidents.models import FailingResource, Incident
from incidents.selectors import still_failing
from safety.models import AutomationPolicy

# Enough of the failing resources to find a recent recovery of the same thing.
COOLDOWN_RESOURCES = 200
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# No person asked for the action or approved it, nor the plan that it is a step of.
# Looked up by key: a join reads every recovery there is.
_APPROVER = Recovery.objects.filter(pk=OuterRef("recovery")).values("approved_by_name")
AUTOMATED = Q(decided_by_name="") & (
    Q(step="") | Q(Exact(Coalesce(Subquery(_APPROVER), Value("")), Value("")))
)


def counts(incident: Incident, policy: AutomationPolicy, now: datetime) -> dict[str, Any]:
    """What was sent lately, and the policy's caps on it. Reads the last day of the tenant."""
    mine = Q(incident__workflow_id=incident.workflow_id)
    theirs = Q(incident__vendor__iexact=incident.vendor)
    in_hour = sent_since(incident.tenant_id, now - HOUR).aggregate(
        automated=Count("sent_at", filter=AUTOMATED),
        of_workflow=Count("sent_at", filter=mine),
        of_vendor=Count("sent_at", filter=theirs),
    )
    in_day = sent_since(incident.tenant_id, now - DAY)
    return {
        "actions_last_hour": in_hour["automated"],
        "max_actions_per_hour": policy.max_actions_per_hour,
        "actions_last_day": in_day.filter(AUTOMATED).count(),
        "max_actions_per_day": policy.max_actions_per_day,
        "incident_retries_last_day": in_day.filter(incident=incident).count(),
        "max_incident_retries_per_day": policy.max_incident_retries_per_day,
        "workflow_retries_last_hour": in_hour["of_workflow"],
        "max_workflow_retries_per_hour": policy.max_workflow_retries_per_hour,
        "vendor_retries_last_hour": in_hour["of_vendor"],
        "max_vendor_retries_per_hour": policy.max_vendor_retries_per_hour
        if incident.vendor
        else None,
    }


def sent_since(tenant_id: UUID, since: datetime) -> QuerySet[Action]:
    """The tenant's actions that were sent after `since`, whoever wanted them."""
    return Action.objects.filter(tenant_id=tenant_id, acts=True, sent_at__gt=since)


def automated_since(tenant_id: UUID, since: datetime) -> QuerySet[Action]:
    """Actions of the tenant sent after `since` that no person asked for or approved."""
    return sent_since(tenant_id, since).filter(AUTOMATED)


def last_other_recovery(action: Action, policy: AutomationPolicy, now: datetime) -> datetime | None:
    """When another recovery of the same thing was last sent, within the cooldown [S7].

    The thing is what still fails in the incident, resource by resource; where failures name no
    resource it is the workflow.
    """
    incident, since = action.incident, now - timedelta(seconds=policy.cooldown_seconds)
    failing = list(still_failing(incident).exclude(resource_id="")[:COOLDOWN_RESOURCES])
    if not failing:
        others = Action.objects.filter(
            incident__workflow_id=incident.workflow_id, acts=True, sent_at__gt=since
        ).exclude(pk=action.pk)
        return others.order_by("-sent_at").values_list("sent_at", flat=True).first()
    same = Q()
    for resource in failing:
        same |= Q(resource_type=resource.resource_type, resource_id=resource.resource_id)
    retried = FailingResource.objects.filter(
        same, incident__workflow_id=incident.workflow_id, retried_at__gt=since
    )
    if action.decision_id is not None:
        retried = retried.exclude(retried_under=action.decision_id)
    return retried.order_by("-retried_at").values_list("retried_at", flat=True).first()
