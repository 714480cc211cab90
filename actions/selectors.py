"""Reading actions; the first argument is always the tenant."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from actions.models import Action
from actions.states import STANDING, ActionStatus
from awfdrs_site.kernel.problem import not_found
from tenants.models import Tenant


def actions_for(tenant: Tenant) -> QuerySet[Action]:
    """Newest first, with what a row shows; `is_reversed`: another takes it back, or did."""
    reversals = Action.objects.filter(reverses=OuterRef("pk"), status__in=STANDING)
    rows = Action.objects.filter(tenant=tenant).annotate(is_reversed=Exists(reversals))
    shown = ("incident__workflow", "decided_by", "recovery")
    return rows.select_related(*shown).order_by("-id")


def get_action_for(tenant: Tenant, pk: UUID | str) -> Action:
    """The tenant's action, or the same 404 that an unknown id gets."""
    action = actions_for(tenant).select_related("decision").filter(pk=pk).first()
    if action is None:
        raise not_found("No such action.")
    return action


def approvals_for(tenant: Tenant, now: datetime) -> QuerySet[Action]:
    """What waits for a person and can still be decided, expiring first; of a plan one step, for
    the word is for all of it."""
    rows = actions_for(tenant).select_related("decision", "recovery__template")
    return rows.filter(still_to_decide(now)).order_by("expires_at", "id")


def still_to_decide(now: datetime) -> Q:
    """Of actions: those that `approvals_for` lists."""
    waits = Q(status=ActionStatus.WAITING, expires_at__gt=now)
    beside = Action.objects.filter(waits, recovery=OuterRef("recovery"), pk__lt=OuterRef("pk"))
    return waits & Q(~Exists(beside))
