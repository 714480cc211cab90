"""Splitting an incident for good: a person says that it holds two failures [I6].

What has the chosen trait moves to an incident of its own, and a pin sends what comes after the same
way (pins.py), until it is removed. Locks as in merging.py: the tenant's merges, alone, then the
incidents in signature order, then the tenant's counter; detection reads pins under the same merges,
shared, so no failure is counted where it belonged a moment ago.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from awfdrs_site.kernel import audit, work
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import FieldError, Problem, invalid, not_found
from incidents import announce
from incidents.detecting.opening import Failure, open_new
from incidents.detecting.pins import TRAITS, pinned_to
from incidents.detecting.routes import lock_merges, routes_of
from incidents.detecting.signature import Signature, SignatureKind
from incidents.models import GroupingPin, Incident, TimelineKind
from incidents.regrouping import merging, parting
from incidents.regrouping.variants import events_with, own_members
from incidents.selectors import get_pin_for, pins_for, refuse_merged
from incidents.services import set_fields
from incidents.states import CLOSED, IncidentStatus, Recovery
from ingestion.models import Event
from tenants.models import Tenant

# Pins on one signature of the grouper, those on what they split off included.
MOST_PINS = 50


@dataclass(frozen=True)
class Split:
    """`moved` failures of `source` are in `part` now."""

    pin: GroupingPin
    source: Incident
    part: Incident
    moved: int


@transaction.atomic
def split(
    *,
    tenant: Tenant,
    incident_id: UUID,
    trait: str,
    value: str,
    actor: Actor,
    now: datetime,
    reason: str = "",
) -> Split:
    """Give the failures of the incident whose `trait` has this value an incident of their own.

    Of the newest `variants.MOST` that its own signature brought; older ones stay. What failed in
    both parts fails in both until it succeeds. 404 for another tenant's, 409 `incident_merged` for
    one that was merged, 400 where no failure has the value, 409 `cannot_split` where all have it,
    the incident is not open or a recovery of it is under way. Again with the same value it moves
    what it finds to the same incident.
    """
    if trait not in TRAITS:
        detail = f"One of {', '.join(TRAITS)}."
        raise invalid([FieldError("trait", "invalid_choice", detail)])
    lock_merges(tenant.pk)
    source = Incident.everything.filter(tenant=tenant, pk=incident_id).first()
    if source is None:
        raise not_found("No such incident.")
    base = Signature(_kind(source), source.signature_text, source.signature)
    root = _root(source)
    events, words = events_with(source, trait, value)
    wanted = pinned_to(base, trait, value, words)
    standing = Incident.objects.filter(tenant=tenant, signature=wanted.digest)
    open_part = standing.exclude(status=IncidentStatus.RESOLVED).first()
    rows = merging.locked(tenant, {source.pk, *([open_part.pk] if open_part else [])})
    source = rows[source.pk]
    refuse(source)
    if open_part and open_part.status == IncidentStatus.IGNORED:
        raise _cannot(
            f"{open_part.label}, which has the others of them, is ignored: open it again."
        )
    if not events:
        detail = f"No failure of {source.label} has it. Nothing was changed."
        raise invalid([FieldError("value", "not_found", detail)])
    if len(events) == own_members(source).count():
        raise _cannot(f"All of {source.label} has it: nothing would be left.")
    pin = _pin(source, root, trait, value, words, wanted, actor, now, reason)
    part = rows[open_part.pk] if open_part else _part(source, wanted, events[-1], actor, now)
    failing = source.resources.filter(recovered_at=None).exists()
    parting.move_events(source, part, events)
    _tell(pin, source, part, len(events), actor, now)
    for one in (source, part):
        _go_on(one, failing, now)
    return Split(pin, source, part, len(events))


def _kind(incident: Incident) -> SignatureKind:
    kind: SignatureKind = incident.signature_kind  # type: ignore[assignment]
    return kind


def _root(incident: Incident) -> str:
    """The grouper's signature from which pins lead to the incident's."""
    if incident.signature_kind != "pin":
        return incident.signature
    pins = GroupingPin.objects.filter(tenant=incident.tenant_id, signature=incident.signature)
    if pin := pins.first():
        return pin.root
    raise _cannot(f"The pin that made {incident.label} was removed: no failures come to it.")


def refuse(source: Incident) -> None:
    """409 for what cannot be split as it stands."""
    refuse_merged(source)
    if source.status in CLOSED:
        raise _cannot(f"{source.label} is {source.status}: only open incidents are split.")
    if source.recovery in merging.UNDER_WAY:
        word = Recovery(source.recovery).label.lower()
        raise _cannot(f"A recovery of {source.label} is under way ({word}): let it end first.")
    if source.status == IncidentStatus.ANALYZING:
        raise _cannot(f"{source.label} is being analysed: try again in a moment.")
    _root(source)


def _cannot(detail: str) -> Problem:
    return Problem(409, "cannot_split", f"{detail} Nothing was changed.")


def _pin(
    source: Incident,
    root: str,
    trait: str,
    value: str,
    words: str,
    wanted: Signature,
    actor: Actor,
    now: datetime,
    reason: str,
) -> GroupingPin:
    pins = GroupingPin.objects.filter(tenant=source.tenant_id)
    if pin := pins.filter(signature=wanted.digest).first():
        return pin
    if pins.filter(root=root).count() >= MOST_PINS:
        raise _cannot(f"There are {MOST_PINS} pins on this signature already: remove some first.")
    pin = GroupingPin.objects.create(
        tenant_id=source.tenant_id,
        root=root,
        splits=source.signature,
        trait=trait,
        value=value,
        shown=words,
        signature=wanted.digest,
        text=wanted.text,
        reason=reason,
        created_by=actor.name,
        created_at=now,
    )
    _audit(pin, "pinned", actor, now, reason)
    return pin


def _audit(pin: GroupingPin, verb: str, actor: Actor, now: datetime, comment: str = "") -> None:
    after = {"trait": pin.trait, "value": pin.value, "signature": pin.text}
    audit.record(
        tenant_id=pin.tenant_id,
        actor=actor,
        verb=verb,
        subject=pin,
        now=now,
        after=after,
        comment=comment,
    )


def _part(
    source: Incident, wanted: Signature, oldest: UUID, actor: Actor, now: datetime
) -> Incident:
    """An open incident of the pin's signature: the one of a split that was taken back, or new."""
    if route := routes_of(source.tenant_id, [wanted.digest]).get(wanted.digest):
        back = Incident.everything.get(pk=route.origin)
        if route.path != (back.pk,) or route.survivor != source.pk:
            raise _cannot(f"{back.label}, which has the others of them, is merged: split it off.")
        [back] = merging.locked(source.tenant, [back.pk]).values()
        merging.give_back(source, back, actor, now)
        merging.recount(source, [back])
        return back
    event = Event.objects.select_related("workflow").get(pk=oldest)
    open_new(source.tenant_id, {wanted.digest: [Failure(event, wanted)]})
    part = Incident.objects.get(
        tenant=source.tenant_id, signature=wanted.digest, resolved_at=None, event_count=0
    )
    part.opened_at = max(source.opened_at, part.opened_at)
    part.save(update_fields=["opened_at"])
    return part


def _tell(
    pin: GroupingPin, source: Incident, part: Incident, moved: int, actor: Actor, now: datetime
) -> None:
    said = {"comment": pin.reason, "pin": str(pin.pk), "moved": moved}
    words = f"split {part.label} off for good by {pin.words[:200]}"
    announce.note(source, TimelineKind.PINNED, words, actor=actor, now=now, data=said)
    words = f"was split off {source.label} by {pin.words[:200]}"
    announce.note(part, TimelineKind.SPLIT, words, actor=actor, now=now)
    for one in (source, part):
        announce.changed(one)


def _go_on(incident: Incident, failing: bool, now: datetime) -> None:
    """Think about it again, or end it: no success is awaited where nothing fails any more."""
    if failing and not incident.resources.filter(recovered_at=None).exists():
        last = incident.resources.aggregate(at=Max("recovered_at"))["at"]
        merging.resolve_split(incident, last or now, now)
    else:
        work.enqueue("analyse", incident.tenant_id, [incident.pk], now)


@transaction.atomic
def take_back(*, tenant: Tenant, pin_id: UUID, actor: Actor, now: datetime) -> Incident:
    """Remove the pin and put what it split off back, as it stands now; return where it is.

    The emptied incident stays as one that was merged. 404 for another tenant's pin, 409
    `pin_in_use` where its failures were split in turn, 409 `cannot_merge` where the two incidents
    are not open any more, others were merged into the one that goes, or its recovery is under way.
    """
    pin = _removed(tenant, pin_id, actor, now)
    ends = Incident.objects.filter(tenant=tenant, signature__in=[pin.splits, pin.signature])
    pks = ends.exclude(status__in=CLOSED).values_list("pk", flat=True)
    rows = merging.locked(tenant, set(pks)).values()
    found = {one.signature: one for one in rows if one.status not in CLOSED}
    if len(found) < 2:
        raise merging.cannot("The incidents are not both open: remove the pin.")
    source, part = found[pin.splits], found[pin.signature]
    merging.refuse_busy(part)
    if Incident.everything.filter(merged_into=part).exists():
        raise merging.cannot(f"Others are merged into {part.label}: split them off.")
    parting.take_in(source, part)
    set_fields(part, actor, now, "merged", event_count=0, merged_into=source, merged_at=now)
    words = f"took back the split of {part.label} by {pin.words[:200]}"
    announce.note(source, TimelineKind.UNDONE, words, actor=actor, now=now)
    announce.changed(source)
    work.enqueue("analyse", tenant.pk, [source.pk], now)
    return source


@transaction.atomic
def remove(*, tenant: Tenant, pin_id: UUID, actor: Actor, now: datetime) -> GroupingPin:
    """Let the grouper decide again about failures to come; what was split off stays so.

    404 for another tenant's pin, 409 `pin_in_use` where its failures were split in turn.
    """
    pin = _removed(tenant, pin_id, actor, now)
    rows = Incident.objects.filter(tenant=tenant, signature__in=[pin.splits, pin.signature])
    for one in rows.exclude(status=IncidentStatus.RESOLVED):
        words = f"removed the pin on {pin.words[:200]}"
        announce.note(one, TimelineKind.UNDONE, words, actor=actor, now=now)
        announce.changed(one)
    return pin


def _removed(tenant: Tenant, pin_id: UUID, actor: Actor, now: datetime) -> GroupingPin:
    lock_merges(tenant.pk)
    pin = get_pin_for(tenant, pin_id)
    if pins_for(tenant).filter(splits=pin.signature).exists():
        detail = f"What {pin.words[:200]} split off was split in turn: remove that pin first."
        raise Problem(409, "pin_in_use", f"{detail} Nothing was changed.")
    _audit(pin, "unpinned", actor, now)
    GroupingPin.objects.filter(pk=pin.pk).delete()
    return pin
