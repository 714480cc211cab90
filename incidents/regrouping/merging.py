"""Merging incidents that are one failure, and taking that back exactly [I6].

The survivor takes over what the others hold: events, failing things and the timeline, each row
keeping the incident it came from as its `origin`. A merged incident's own row stays as it was, so a
split only has to hand the rows back; what came since went by its signature's route (routes.py) and
has its origin too. Merges stay within one workflow, for an incident's recovery asks one engine.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Case, F, Max, Min, UUIDField, Value, When
from django.db.models.functions import Coalesce

from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import MACHINE, Actor
from awfdrs_site.kernel.problem import FieldError, Problem, invalid, not_found
from incidents import announce
from incidents.detecting.routes import lock_merges
from incidents.models import (
    FailingResource,
    Incident,
    IncidentEvent,
    TimelineEntry,
    TimelineKind,
)
from incidents.selectors import is_emptied, refuse_merged
from incidents.services import move, set_fields
from incidents.states import CLOSED, IncidentStatus, Recovery
from tenants.models import Tenant

MOST = 200
_MOVED = (IncidentEvent, FailingResource, TimelineEntry)
UNDER_WAY = (Recovery.WAITING, Recovery.RUNNING, Recovery.VERIFYING)


@transaction.atomic
def merge(
    *,
    tenant: Tenant,
    ids: Collection[UUID],
    into: UUID,
    actor: Actor,
    now: datetime,
    comment: str = "",
) -> Incident:
    """Merge the incidents `ids` into the incident `into`, which may be among them; return it.

    400 for fewer than two or more than MOST, 404 where one is not the tenant's, 409
    `incident_merged` for one that was merged already, 409 `cannot_merge` where they are not open,
    not of one workflow, or a recovery is under way in one that would go. Locks: the tenant's
    merges, then the incidents in signature order.
    """
    wanted = {into, *ids}
    if not 2 <= len(wanted) <= MOST:
        raise invalid([FieldError("ids", "invalid_length", f"Select between 2 and {MOST}.")])
    lock_merges(tenant.pk)
    rows = locked(tenant, wanted)
    survivor, others = rows.pop(into), sorted(rows.values(), key=lambda one: one.number)
    _refuse(survivor, others)
    for one in others:
        _take_in(survivor, one, actor, now, comment)
    survivor.save(update_fields=["event_count", "first_seen_at", "last_seen_at"])
    names = ", ".join(one.label for one in others)
    data = {"comment": comment, "merged": [str(one.pk) for one in others]}
    announce.note(
        survivor, TimelineKind.MERGED, f"merged {names} into it", actor=actor, now=now, data=data
    )
    announce.changed(survivor)
    work.enqueue("analyse", tenant.pk, [survivor.pk], now)
    return survivor


def locked(tenant: Tenant, ids: Collection[UUID]) -> dict[UUID, Incident]:
    rows = Incident.everything.filter(tenant=tenant, pk__in=ids).select_related("workflow")
    rows = rows.order_by("signature", "pk").select_for_update(of=("self",), no_key=True)
    found = {incident.pk: incident for incident in rows}
    if len(found) < len(set(ids)):
        raise not_found("No such incident.")
    return found


def _refuse(survivor: Incident, others: Sequence[Incident]) -> None:
    for one in (survivor, *others):
        refuse_merged(one)
        if one.status in CLOSED:
            raise cannot(f"{one.label} is {one.status}: only open incidents are merged.")
        if one.workflow_id != survivor.workflow_id:
            raise cannot(
                f"{one.label} is of {one.workflow.name}, {survivor.label} of "
                f"{survivor.workflow.name}: a recovery asks one workflow's engine."
            )
    for one in others:
        refuse_busy(one)


def refuse_busy(one: Incident) -> None:
    """409 `cannot_merge` for one that cannot go, for something is being done about it."""
    if one.recovery in UNDER_WAY:
        word = Recovery(one.recovery).label.lower()
        raise cannot(
            f"A recovery of {one.label} is under way ({word}): merge the others into "
            "it, or let it end first."
        )
    if one.status == IncidentStatus.ANALYZING:
        raise cannot(f"{one.label} is being analysed: try again in a moment.")


def cannot(detail: str) -> Problem:
    return Problem(409, "cannot_merge", f"{detail} Nothing was changed.")


def _take_in(survivor: Incident, one: Incident, actor: Actor, now: datetime, comment: str) -> None:
    for model in _MOVED:
        origin = Coalesce("origin_id", Value(one.pk, UUIDField()))
        model._default_manager.filter(incident=one).update(incident=survivor, origin=origin)
    survivor.event_count += one.event_count
    survivor.first_seen_at = min(survivor.first_seen_at, one.first_seen_at)
    survivor.last_seen_at = max(survivor.last_seen_at, one.last_seen_at)
    set_fields(one, actor, now, "merged", comment, merged_into=survivor, merged_at=now)


@transaction.atomic
def split_back(
    *,
    tenant: Tenant,
    survivor_id: UUID,
    ids: Collection[UUID],
    actor: Actor,
    now: datetime,
) -> list[Incident]:
    """Take the merge of these incidents into the survivor back; return them, by number.

    Each is as it was before, with what its own signature brought since. What has recovered since is
    so in it too: one in which nothing fails any more is resolved. 404 where one is not the
    tenant's, 409 `incident_merged` where the survivor was merged in turn, 409 `cannot_split` for
    one that was not merged into it, or whose signature opened another incident. Locks as `merge`.
    """
    if not 1 <= len(set(ids)) <= MOST:
        raise invalid([FieldError("ids", "invalid_length", f"Name between 1 and {MOST}.")])
    lock_merges(tenant.pk)
    rows = locked(tenant, {survivor_id, *ids})
    survivor = rows.pop(survivor_id)
    refuse_merged(survivor)
    back = sorted(rows.values(), key=lambda one: one.number)
    for one in back:
        if one.merged_into_id != survivor.pk:
            detail = f"{one.label} is not merged into {survivor.label}. Nothing was changed."
            raise Problem(409, "cannot_split", detail)
        if is_emptied(one):
            detail = f"{one.label} holds nothing: the split that made it was taken back."
            raise Problem(409, "cannot_split", f"{detail} Nothing was changed.")
    merged_at = min(one.merged_at for one in back if one.merged_at)
    for one in back:
        give_back(survivor, one, actor, now)
    recount(survivor, back)
    names = ", ".join(one.label for one in back)
    data = {"split": [str(one.pk) for one in back]}
    announce.note(
        survivor, TimelineKind.SPLIT, f"split {names} off again", actor=actor, now=now, data=data
    )
    if resolved_at := _over_since(survivor, merged_at):
        resolve_split(survivor, resolved_at, now)
    announce.changed(survivor)
    return back


def give_back(survivor: Incident, one: Incident, actor: Actor, now: datetime) -> None:
    assert one.merged_at is not None
    origin = Case(
        When(origin=one.pk, then=Value(None, UUIDField())),
        default=F("origin_id"),
        output_field=UUIDField(),
    )
    came_from = _with_merged(one.pk)
    for model in _MOVED:
        rows = model._default_manager.filter(incident=survivor, origin__in=came_from)
        rows.update(incident=one, origin=origin)
    fields: dict[str, Any] = {"merged_into": None, "merged_at": None}
    if resolved_at := _over_since(one, one.merged_at):
        resolve_split(one, resolved_at, now, **fields)
        return
    try:
        with transaction.atomic():
            set_fields(one, actor, now, "split", **fields)
    except IntegrityError as error:
        detail = (
            f"The signature of {one.label} has opened another incident since: merge them "
            "instead. Nothing was changed."
        )
        raise Problem(409, "cannot_split", detail) from error
    work.enqueue("analyse", one.tenant_id, [one.pk], now)


def _with_merged(pk: UUID) -> set[UUID]:
    """The incident and all that were merged into it before it was merged itself."""
    known, found = {pk}, {pk}
    while found:
        rows = Incident.everything.filter(merged_into__in=found)
        found = set(rows.values_list("pk", flat=True)) - known
        known |= found
    return known


def _over_since(incident: Incident, merged_at: datetime) -> datetime | None:
    """When the last of it recovered, if it is open and nothing in it has failed since a recovery
    after `merged_at`."""
    if incident.status in CLOSED or incident.resources.filter(recovered_at=None).exists():
        return None
    last: datetime | None = incident.resources.aggregate(at=Max("recovered_at"))["at"]
    return last if last and last >= merged_at else None


def resolve_split(incident: Incident, resolved_at: datetime, now: datetime, **fields: Any) -> None:
    fields |= {"resolved_at": resolved_at, "recovery": Recovery.NONE}
    move(incident, IncidentStatus.RESOLVED, actor=MACHINE, now=now, **fields)
    text = "Resolved: everything in it had succeeded again when it was split"
    announce.note(incident, TimelineKind.RESOLVED, text, actor=MACHINE, now=now)
    work.enqueue("verify", incident.tenant_id, [incident.pk], now)


def recount(survivor: Incident, back: Sequence[Incident]) -> None:
    survivor.event_count -= sum(one.event_count for one in back)
    first, last = survivor.first_seen_at, survivor.last_seen_at
    # Looked up only if it may have been one of the others': events pass their retention.
    if any(one.first_seen_at <= first or one.last_seen_at >= last for one in back):
        seen = IncidentEvent.objects.filter(incident=survivor).aggregate(
            first=Min("event__received_at"), last=Max("event__received_at")
        )
        survivor.first_seen_at = seen["first"] or first
        survivor.last_seen_at = seen["last"] or last
    survivor.save(update_fields=["event_count", "first_seen_at", "last_seen_at"])
