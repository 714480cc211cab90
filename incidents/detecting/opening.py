"""Opening incidents: what a failure's signature and title are, and the row of a new incident."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F

from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import MACHINE
from incidents import announce
from incidents.detecting.pins import Pin, Pins, Traits, pinned_signature
from incidents.detecting.signature import Signature, signature_of
from incidents.models import GroupingPin, Incident, TimelineKind
from ingestion.models import Event
from safety.models import Severity
from tenants.models import Tenant


@dataclass(frozen=True)
class Failure:
    event: Event
    signature: Signature


# By the signature's digest.
Groups = Mapping[str, Sequence[Failure]]


def sign(event: Event) -> Signature:
    """The signature of a stored failure."""
    return signature_of(
        workflow_id=str(event.workflow_id),
        event_type=event.event_type,
        error_code=event.error_code,
        error_message=event.error_message,
        fingerprint=event.fingerprint,
    )


def traits_of(event: Event) -> Traits:
    return Traits(
        message=event.error_message,
        error_code=event.error_code,
        vendor=event.vendor,
        resource_type=event.resource_type,
        event_type=event.event_type,
    )


def grouped(tenant_id: UUID, failures: Sequence[Event]) -> dict[str, list[Failure]]:
    """The tenant's failures by their signatures, pins included. One query.

    The caller holds the merges, so no pin comes or goes before its commit.
    """
    signed = [(event, sign(event)) for event in failures]
    pins = pins_on(tenant_id, {signature.digest for _, signature in signed})
    groups: dict[str, list[Failure]] = defaultdict(list)
    for event, grouper in signed:
        signature = pinned_signature(grouper, traits_of(event), pins) if pins else grouper
        groups[signature.digest].append(Failure(event, signature))
    return groups


def pins_on(tenant_id: UUID, digests: Iterable[str]) -> Pins:
    """The pins on these signatures of the grouper, and those on what they split off in turn."""
    found: dict[str, list[Pin]] = defaultdict(list)
    rows = GroupingPin.objects.filter(tenant_id=tenant_id, root__in=digests)
    for row in rows.order_by("pk"):
        signature = Signature("pin", row.text, row.signature)
        found[row.splits].append(Pin(row.splits, row.trait, row.value, signature))
    return found


def open_new(tenant_id: UUID, groups: Groups) -> None:
    """Insert an incident for each group; one that lost a race is simply not inserted.

    The caller then finds the winner's row under the lock and counts its events there.
    """
    if not groups:
        return
    numbers = _take_numbers(tenant_id, len(groups))
    rows = [
        _new_incident(group, number)
        for (_, group), number in zip(sorted(groups.items()), numbers, strict=True)
    ]
    Incident.objects.bulk_create(rows, ignore_conflicts=True)
    inserted = set(
        Incident.objects.filter(pk__in=[r.pk for r in rows]).values_list("pk", flat=True)
    )
    for incident in (row for row in rows if row.pk in inserted):
        text = f"Opened by {incident.signature_text[:200]}"
        announce.note(incident, TimelineKind.OPENED, text, actor=MACHINE, now=incident.opened_at)
        work.enqueue("analyse", tenant_id, [incident.pk], incident.opened_at)


def _take_numbers(tenant_id: UUID, count: int) -> range:
    tenant = Tenant.objects.filter(pk=tenant_id)
    tenant.update(last_incident_number=F("last_incident_number") + count)
    last = tenant.values_list("last_incident_number", flat=True).get()
    return range(last - count + 1, last + 1)


def _new_incident(group: Sequence[Failure], number: int) -> Incident:
    first, signature = group[0].event, group[0].signature
    severity = first.payload.get("severity")
    return Incident(
        tenant_id=first.tenant_id,
        number=number,
        workflow=first.workflow,
        vendor=first.vendor,
        signature=signature.digest,
        signature_kind=signature.kind,
        signature_text=signature.text,
        title=title_of(first),
        severity=severity if severity in Severity.values else Severity.MEDIUM,
        first_seen_at=first.received_at,
        last_seen_at=first.received_at,
        opened_at=first.received_at,
        correlation_id=first.correlation_id,
    )


def title_of(event: Event) -> str:
    """A sentence for people: the first line of the message, else the code or the type."""
    lines = event.error_message.strip().splitlines()
    words = (event.error_code or event.event_type).replace("_", " ").replace(".", " ")
    title = lines[0] if lines else f"{words} on {event.workflow.name}"
    return title[:1].upper() + title[1:120]
