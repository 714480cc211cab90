"""What an incident holds, parted in two and put together again; called under the locks of
pinning.py."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Max, Min

from incidents.models import FailingResource, Incident
from incidents.regrouping.variants import own_members

# Its type and id.
Thing = tuple[str, str]


def move_events(source: Incident, part: Incident, events: Collection[UUID]) -> None:
    """Of the locked `source` to the locked `part`, with what failed in them, and all counts."""
    own_members(source).filter(event_id__in=events).update(incident=part)
    _share(source, part)
    _count(part, len(events), look=True)
    at_an_end = (
        part.first_seen_at <= source.first_seen_at or part.last_seen_at >= source.last_seen_at
    )
    _count(source, -len(events), look=at_an_end)


def take_in(source: Incident, part: Incident) -> None:
    """Put all that the locked `part` holds back into the locked `source`."""
    _put(source, [_copy(one, source, one.failed_at) for one in part.resources.all()])
    part.resources.all().delete()
    part.members.update(incident=source)
    part.timeline.update(incident=source, origin=part)
    source.first_seen_at = min(source.first_seen_at, part.first_seen_at)
    source.last_seen_at = max(source.last_seen_at, part.last_seen_at)
    _count(source, part.event_count, look=False)


def _count(incident: Incident, more: int, *, look: bool) -> None:
    """`look`: whether its times may have changed; who never had others keeps his, for events pass
    their retention."""
    incident.event_count += more
    if look:
        seen = incident.members.aggregate(
            first=Min("event__received_at"), last=Max("event__received_at")
        )
        incident.first_seen_at = seen["first"] or incident.first_seen_at
        incident.last_seen_at = seen["last"] or incident.last_seen_at
    incident.save(update_fields=["event_count", "first_seen_at", "last_seen_at"])


def _share(source: Incident, part: Incident) -> None:
    """The things that failed in the part alone are its own; what failed in both is in both."""
    moved = _failed_at(part)
    names = {resource_id for _, resource_id in moved}
    things = source.resources.filter(origin=None, resource_id__in=names)
    shared = [thing for thing in things if _name(thing) in moved]
    left = _failed_at(source, names)
    _put(part, [_copy(thing, part, moved[_name(thing)]) for thing in shared])
    gone = [thing.pk for thing in shared if _name(thing) not in left]
    source.resources.filter(pk__in=gone).delete()
    earlier = [t for t in shared if _name(t) in left and left[_name(t)] < t.failed_at]
    for thing in earlier:
        thing.failed_at = left[_name(thing)]
    FailingResource.objects.bulk_update(earlier, ["failed_at"], batch_size=1_000)


def _failed_at(incident: Incident, names: Iterable[str] | None = None) -> dict[Thing, datetime]:
    """When each thing failed last, by the incident's own failures; of those names, if given."""
    members = own_members(incident)
    if names is not None:
        members = members.filter(event__resource_id__in=names)
    found = members.values_list("event__resource_type", "event__resource_id")
    return {(kind, name): at for kind, name, at in found.annotate(Max("event__received_at"))}


def _name(thing: FailingResource) -> Thing:
    return thing.resource_type, thing.resource_id


def _copy(thing: FailingResource, to: Incident, failed_at: datetime) -> FailingResource:
    return FailingResource(
        incident=to,
        resource_type=thing.resource_type,
        resource_id=thing.resource_id,
        failed_at=min(thing.failed_at, failed_at),
        recovered_at=thing.recovered_at,
        retried_at=thing.retried_at,
        retried_under=thing.retried_under,
    )


def _put(incident: Incident, things: Collection[FailingResource]) -> None:
    """Insert them; one that is there failed when the later did, and fails if either does."""
    known = {_name(thing): thing for thing in incident.resources.filter(origin=None)}
    there, new = [], []
    for thing in things:
        mine = known.get(_name(thing))
        if mine is None:
            new.append(thing)
            continue
        both = [one.recovered_at for one in (mine, thing)]
        ends = [at for at in both if at]
        mine.recovered_at = max(ends) if len(ends) == len(both) else None
        mine.failed_at = max(mine.failed_at, thing.failed_at)
        there.append(mine)
    fields = ["failed_at", "recovered_at"]
    FailingResource.objects.bulk_update(there, fields, batch_size=1_000)
    FailingResource.objects.bulk_create(new, batch_size=1_000)
