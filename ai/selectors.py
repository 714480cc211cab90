"""Reading decisions; the first argument is always the tenant."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber

from ai.models import Decision, Outcome
from ai.record import WAIT
from awfdrs_site.kernel.problem import not_found
from incidents.models import Incident
from tenants.models import Tenant


def get_decision_for(tenant: Tenant, pk: UUID | str) -> Decision:
    """The tenant's decision, or the same 404 that an unknown id gets."""
    decision = Decision.objects.filter(tenant=tenant, pk=pk).select_related("incident").first()
    if decision is None:
        raise not_found("No such decision.")
    return decision


def latest_decision(incident: Incident) -> Decision | None:
    """The one in force; None before the first analysis."""
    return incident.decisions.order_by("-id").first()


def last_outcome(incident: Incident) -> Outcome | None:
    """What became of the last thing that was tried."""
    last: Outcome | None = incident.outcomes.exclude(action=WAIT).order_by("-at").first()
    return last


def newest_of_each(outcomes: QuerySet[Outcome], most: int) -> QuerySet[Outcome]:
    """The newest `most` of each signature and action, the oldest of them first."""
    rank = Window(RowNumber(), partition_by=["signature", "action"], order_by=F("at").desc())
    return outcomes.annotate(rank=rank).filter(rank__lte=most).order_by("at", "pk")
