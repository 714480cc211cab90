"""Taking back what somebody just did to an incident, while it stands as they left it [I6].

Free to take back is what harms nobody while it holds: an acknowledgement, an owner, a snooze. The
line that it left in the timeline names it and holds what was before and after. Merges and splits
are undone by the functions that know them (merging.py, pinning.py). Steps of the life cycle are
not among them, for they set automation off (opening again is their way back), and neither are
comments, for people have read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.instants import parse_instant
from awfdrs_site.kernel.problem import Problem, not_found
from incidents import announce
from incidents.models import Incident, TimelineEntry, TimelineKind
from incidents.regrouping import merging, pinning
from incidents.selectors import pins_for
from incidents.services import lock_standing, refuse_closed, set_fields
from tenants.models import Tenant


@dataclass(frozen=True)
class Deed:
    """What can be taken back, by the kind of its line: in words, and for the audit log."""

    words: str
    verb: str


DEEDS: Mapping[str, Deed] = {
    TimelineKind.ACKNOWLEDGED: Deed("took back the acknowledgement", "unacknowledged"),
    TimelineKind.ASSIGNED: Deed("took back the change of owner", "unassigned"),
    TimelineKind.SNOOZED: Deed("took back the snooze", "unsnoozed"),
    TimelineKind.MERGED: Deed("took back the merge", "unmerged"),
    TimelineKind.PINNED: Deed("took back the split", "unpinned"),
}


def deeds_for(tenant: Tenant, pks: Iterable[int]) -> list[TimelineEntry]:
    """The tenant's lines of these ids, by their incidents' numbers; 404 if one is not there."""
    wanted = set(pks)
    rows = TimelineEntry.objects.filter(tenant=tenant, kind__in=DEEDS, pk__in=wanted)
    found = list(rows.select_related("incident").order_by("incident__number", "pk"))
    if not wanted or len(found) < len(wanted):
        raise not_found("Nothing there that could be taken back.")
    return found


def left_by(
    incidents: Sequence[Incident], kind: str, actor: Actor, now: datetime
) -> list[TimelineEntry]:
    """The lines that one call of a service at `now` left; none where there was nothing to do."""
    rows = TimelineEntry.objects.filter(incident__in=incidents, kind=kind, at=now)
    return list(rows.filter(actor_kind=actor.kind, actor=actor.name).order_by("pk"))


def take_back(*, incident: Incident, deed: TimelineEntry, actor: Actor, now: datetime) -> Incident:
    """Set what the deed changed to what it was before. Locks the incident.

    409 `changed_meanwhile` where it is not as the deed left it, or somebody did the like since;
    `invalid_transition` where the incident is closed. A merge and a split refuse what
    merging.split_back and pinning.take_back refuse.
    """
    if deed.kind == TimelineKind.MERGED:
        return _part_again(incident, deed, actor, now)
    if deed.kind == TimelineKind.PINNED:
        return _put_together(incident, deed, actor, now)
    return _set_back(incident, deed, actor, now)


def _part_again(incident: Incident, deed: TimelineEntry, actor: Actor, now: datetime) -> Incident:
    """Split off what the merge took in, if all of it is still there since then."""
    ids = [UUID(pk) for pk in deed.data["merged"]]
    merged = Incident.everything.filter(pk__in=ids, merged_into=incident, merged_at=deed.at)
    if merged.count() < len(ids):
        raise _changed(incident)
    merging.split_back(
        tenant=incident.tenant, survivor_id=incident.pk, ids=ids, actor=actor, now=now
    )
    return incident


def _put_together(incident: Incident, deed: TimelineEntry, actor: Actor, now: datetime) -> Incident:
    """Remove the pin of the split and put back what it moved, if it is still there."""
    pin_id = UUID(deed.data["pin"])
    if not pins_for(incident.tenant).filter(pk=pin_id).exists():
        raise _changed(incident)
    return pinning.take_back(tenant=incident.tenant, pin_id=pin_id, actor=actor, now=now)


@transaction.atomic
def _set_back(incident: Incident, deed: TimelineEntry, actor: Actor, now: datetime) -> Incident:
    incident = lock_standing(incident)
    refuse_closed(incident, DEEDS[deed.kind].verb)
    later = incident.timeline.filter(kind=deed.kind, pk__gt=deed.pk)
    before, after = deed.data.get("before"), deed.data.get("after")
    if before is None or after != announce.values_of(incident, before) or later.exists():
        raise _changed(incident)
    if not _are_members(incident, before):
        raise _changed(incident)
    _undo(incident, deed.kind, before, actor, now)
    return incident


@transaction.atomic
def unacknowledge(
    *, incident: Incident, actor: Actor, now: datetime, acknowledged_at: datetime | None = None
) -> Incident:
    """Say that nobody has it after all: calls about it go on where they were. Locks the incident.

    409 `changed_meanwhile` where nobody has it, or since another time than `acknowledged_at`;
    `invalid_transition` where the incident is closed.
    """
    incident = lock_standing(incident)
    refuse_closed(incident, DEEDS[TimelineKind.ACKNOWLEDGED].verb)
    if incident.acknowledged_at is None or acknowledged_at not in (None, incident.acknowledged_at):
        raise _changed(incident)
    before = {"acknowledged_at": None, "acknowledged_by_id": None}
    _undo(incident, TimelineKind.ACKNOWLEDGED, before, actor, now)
    return incident


def _are_members(incident: Incident, values: Mapping[str, Any]) -> bool:
    """Whether everybody whom these columns name still belongs to the tenant."""
    people = {pk for name, pk in values.items() if name.endswith("_id") and pk is not None}
    return incident.tenant.memberships.filter(user_id__in=people).count() == len(people)


def _changed(incident: Incident) -> Problem:
    detail = f"{incident.label} was changed meanwhile. Nothing was taken back."
    return Problem(409, "changed_meanwhile", detail)


def _undo(
    incident: Incident, kind: str, before: Mapping[str, Any], actor: Actor, now: datetime
) -> None:
    fields = {name: _value(name, value) for name, value in before.items()}
    set_fields(incident, actor, now, DEEDS[kind].verb, **fields)
    announce.note(incident, TimelineKind.UNDONE, DEEDS[kind].words, actor=actor, now=now)
    if kind == TimelineKind.ACKNOWLEDGED:
        # What the acknowledgement stopped is needed again.
        work.enqueue("page", incident.tenant_id, [incident.pk], now)


def _value(name: str, value: Any) -> Any:
    is_instant = value is not None and name.endswith(("_at", "_until"))
    return parse_instant(value) if is_instant else value
