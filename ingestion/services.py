"""Taking events in: every write of this app."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from awfdrs_site.kernel import correlation, work
from awfdrs_site.kernel.problem import Problem, invalid
from ingestion import calls
from ingestion.admission import Admission
from ingestion.models import Event
from ingestion.schema import Draft, validate
from safety.models import EventKind
from safety.selectors import event_kind
from safety.window import Use
from tenants.access import Identity

# Nothing to detect in an informational event: it is stored, and no stage looks at it.
DETECTED_KINDS = frozenset({EventKind.FAILURE, EventKind.SUCCESS, EventKind.CHANGE})


@dataclass(frozen=True)
class Verdict:
    """What became of one document: the stored event, or the problem it was refused with.

    `use`: of a stored event, what its tenant or vendor has used of the tighter rate limit.
    """

    event: Event | None
    problem: Problem | None = None
    use: Use | None = None

    def accepted(self) -> Event:
        """The stored event; raises the problem where there is none."""
        if self.event is not None:
            return self.event
        raise self.problem or _in_the_way()


def ingest(*, identity: Identity, documents: Sequence[Any], now: datetime) -> list[Verdict]:
    """Take in `documents` for the caller's tenant; one verdict each, in order.

    A verdict is what the document would have got alone. All accepted events are committed,
    together with their work for the `detect` stage, when this returns; an exception means that
    none is. Idempotent by the tenant and `idempotency_key`: the unique constraint decides, also
    between requests at the same time. Raises nothing for a bad document.
    """
    drafts, verdicts = _validated(documents, now)
    verdicts |= _known(identity, drafts)
    admission = Admission(identity, (drafts[i] for i in drafts if i not in verdicts), now)
    for index, draft in drafts.items():
        if index not in verdicts and (problem := admission.refuse(draft)):
            verdicts[index] = Verdict(None, problem)
    admission.count_saved()
    events = {i: _event(draft, now) for i, draft in drafts.items() if i not in verdicts}
    stored = _store(identity, list(events.values()), now)
    accepted = {i: event for i, event in events.items() if event.pk in stored}
    verdicts |= {i: Verdict(event, use=admission.use) for i, event in accepted.items()}
    # What lost to another request meanwhile, or to the same key earlier in this batch.
    verdicts |= _known(identity, {i: drafts[i] for i in events if i not in verdicts})
    return [verdicts.get(index) or Verdict(None, _in_the_way()) for index in range(len(documents))]


def _validated(
    documents: Sequence[Any], now: datetime
) -> tuple[dict[int, Draft], dict[int, Verdict]]:
    drafts: dict[int, Draft] = {}
    verdicts: dict[int, Verdict] = {}
    for index, document in enumerate(documents):
        result = validate(document, now, correlation.current())
        if isinstance(result, Draft):
            drafts[index] = result
        else:
            verdicts[index] = Verdict(None, invalid(result))
    return drafts, verdicts


def _known(identity: Identity, drafts: Mapping[int, Draft]) -> dict[int, Verdict]:
    """The verdicts on those drafts whose key is stored already. One query."""
    if not drafts:
        return {}
    keys = {draft.idempotency_key for draft in drafts.values()}
    rows = Event.objects.filter(tenant=identity.tenant, idempotency_key__in=keys)
    known = {
        key: (pk, bytes(digest))
        for key, pk, digest in rows.values_list("idempotency_key", "pk", "content_hash")
    }
    verdicts = {}
    for index, draft in drafts.items():
        if draft.idempotency_key in known:
            first, digest = known[draft.idempotency_key]
            verdicts[index] = Verdict(None, _repeated(first, digest == draft.content_hash))
    return verdicts


def _in_the_way() -> Problem:
    """The row that the insert met was removed by retention before it could be read."""
    return Problem(503, "unavailable", "Send it again.", headers={"Retry-After": "1"})


def _repeated(first: UUID, same: bool) -> Problem:
    if same:
        return Problem(409, "duplicate_event", "This event was taken in before.", event_id=first)
    detail = "An event with this idempotency_key but other content was taken in before."
    return Problem(409, "idempotency_conflict", detail, event_id=first)


def _event(draft: Draft, now: datetime) -> Event:
    kind = event_kind(draft.tenant_id, draft.event_type)
    event = Event(**vars(draft), received_at=now, kind=kind)
    event.vendor_outcome = calls.outcome_of(
        draft.tenant_id,
        kind,
        vendor=event.vendor,
        error_code=event.error_code,
        error_message=event.error_message,
    )
    return event


def _store(identity: Identity, events: Sequence[Event], now: datetime) -> set[UUID]:
    """Insert what is new and its work in one transaction; return the ids that are in."""
    if not events:
        return set()
    with transaction.atomic():
        stored = _insert(events)
        detected = [e.pk for e in events if e.pk in stored and e.kind in DETECTED_KINDS]
        work.enqueue("detect", identity.tenant.pk, detected, now)
    return stored


def _insert(events: Iterable[Event]) -> set[UUID]:
    """INSERT … ON CONFLICT DO NOTHING; Django's bulk_create does not tell which rows it wrote."""
    fields = Event._meta.concrete_fields
    columns = ", ".join(f'"{field.column}"' for field in fields)
    rows = [
        [field.get_db_prep_save(getattr(event, field.attname), connection) for field in fields]
        for event in events
    ]
    row = f"({', '.join(['%s'] * len(fields))})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO ingestion_event ({columns}) VALUES {', '.join([row] * len(rows))}"  # noqa: S608
            " ON CONFLICT (tenant_id, idempotency_key) DO NOTHING RETURNING id",
            [value for values in rows for value in values],
        )
        return {pk for (pk,) in cursor.fetchall()}
