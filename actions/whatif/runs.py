"""A replay of a tenant's stored events, and its report [S10].

The events are streamed by a server-side cursor in order of receipt: memory does not grow with them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.db.models.fields.json import KT

from actions.models import Action, ActionKind
from actions.states import ActionStatus
from actions.whatif.facts import Opening, Seen, WorkflowFacts, World
from actions.whatif.replay import Change, Replay, replay
from ai.cases import PAST_OUTCOMES
from ai.ladder import climbs
from ai.models import Outcome, TrustSetting
from ai.record import RETRY, Outcomes
from ai.selectors import newest_of_each
from ai.trust import Climb
from awfdrs_site.kernel.problem import FieldError, invalid
from incidents.models import IncidentEvent
from incidents.states import IncidentStatus
from ingestion.models import Event
from safety.rule_diff import differences
from safety.rule_types import Ruleset
from tenants.models import Tenant

MAX_DAYS = 30
CHUNK = 5_000
# Of more changes the report gives the number and the newest.
SHOWN_CHANGES = 200
_EVENT_COLUMNS = (
    "pk", "received_at", "workflow_id", "event_type", "error_code", "message", "fingerprint",
    "vendor", "resource_type", "resource_id", "severity", "occurred_at", "clock_skew",
)  # fmt: skip


def what_if(
    tenant: Tenant,
    rules: tuple[Ruleset, Ruleset],
    days: int,
    now: datetime,
    *,
    most_events: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """The report of a replay of the last `days` days under `rules`: (now, draft).

    `progress` is told (events done, events in all). Raises Problem 400 for more than 30 days, or
    for more events than `most_events`. Writes nothing.
    """
    if not 1 <= days <= MAX_DAYS:
        raise invalid([FieldError("days", "out_of_range", f"From 1 to {MAX_DAYS}.")])
    since = now - timedelta(days=days)
    events = Event.objects.filter(tenant=tenant, received_at__gte=since, received_at__lt=now)
    total = events.count()
    if most_events is not None and total > most_events:
        detail = f"{total:,} events in {days} days, at most {most_events:,}: ask for fewer days."
        raise invalid([FieldError("days", "too_many_events", detail)])
    began = time.perf_counter()
    world = world_of(tenant, since)
    found = replay(stored(events), *rules, world, lambda done: progress(done, total), now)
    seconds = time.perf_counter() - began
    return {
        "days": days,
        "since": since.isoformat(),
        "until": now.isoformat(),
        "events": found.events,
        "seconds": round(seconds, 3),
        "events_per_second": round(found.events / seconds) if seconds else 0,
        "rules": [str(one) for one in differences(*rules)],
        **found.totals_json(),
        "per_day": [
            {"day": day.isoformat(), "now": ours.to_json(), "draft": theirs.to_json()}
            for day, ours, theirs in found.days
        ],
        **_changes_json(found),
    }


def stored(events: QuerySet[Event]) -> Iterator[Seen]:
    """The events as the replay takes them, in order of receipt."""
    texts = events.annotate(message=KT("payload__error_message"), severity=KT("payload__severity"))
    rows = texts.order_by("received_at", "pk").values_list(*_EVENT_COLUMNS)
    for (
        pk, at, workflow, event_type, code, message, fingerprint,
        vendor, kind, name, severity, occurred_at, skewed,
    ) in rows.iterator(chunk_size=CHUNK):  # fmt: skip
        resource = f"{kind} {name}" if name else ""
        yield Seen(
            str(pk), at, str(workflow), event_type, code, message or "", fingerprint,
            vendor, resource, severity or "", occurred_at, skewed,
        )  # fmt: skip


def world_of(tenant: Tenant, since: datetime) -> World:
    """The workflows and vendors as they are, and how retries had ended before `since`."""
    ended = Outcome.objects.filter(tenant=tenant, action=RETRY, at__lt=since, ends_recovery=True)
    results: dict[str, list[tuple[str, float | None]]] = defaultdict(list)
    for outcome in newest_of_each(ended, PAST_OUTCOMES):
        results[outcome.signature].append((outcome.result, outcome.seconds_to_recover))
    return World(
        tenant_id=str(tenant.pk),
        workflows={
            str(workflow.pk): WorkflowFacts(workflow.name, bool(workflow.retry_url))
            for workflow in tenant.workflows.all()
        },
        history={signature: Outcomes.of(ended) for signature, ended in results.items()},
        climbs=_climbs(tenant, set(results), since),
    )


def _climbs(tenant: Tenant, signatures: set[str], since: datetime) -> dict[str, Climb]:
    """What the trust in retries was made from, of signatures with a past or a rung that was set."""
    settings = TrustSetting.objects.filter(tenant=tenant, action=RETRY, at__lt=since)
    signatures |= set(settings.values_list("signature", flat=True))
    found = climbs(tenant.pk, [(signature, RETRY) for signature in signatures], before=since)
    return {signature: climb for (signature, _), climb in found.items()}


def _changes_json(found: Replay) -> dict[str, Any]:
    shown = found.changes[-SHOWN_CHANGES:][::-1]
    real = really(change.event_id for change in shown)
    rows = [_change_json(change, real.get(change.event_id)) for change in shown]
    return {
        "changed_incidents": len(found.changes),
        "would_have_gone_wrong": sum(row["wrong"] for row in rows),
        "changes": rows,
    }


def _change_json(change: Change, real: dict[str, Any] | None) -> dict[str, Any]:
    bold = change.draft is not None and change.draft.outcome == "automatic"
    was_bold = change.now is not None and change.now.outcome == "automatic"
    return {
        "event_id": change.event_id,
        "at": change.first.at.isoformat(),
        "now": _opening_json(change.now),
        "draft": _opening_json(change.draft),
        "words": f"{_words(change.now)} → {_words(change.draft)}",
        "incident": real["incident"] if real else None,
        "really": real["really"] if real else "",
        # Automatic in the draft only, where a person said no or a retry was seen to fail.
        "wrong": bool(bold and not was_bold and real and real["bad"]),
    }


def _opening_json(opening: Opening | None) -> dict[str, Any] | None:
    if opening is None:
        return None
    return {
        "outcome": opening.outcome,
        "retries": opening.attempts,
        "escalated": opening.escalated,
        "confidence": opening.confidence,
        "severity": opening.severity,
    }


def _words(opening: Opening | None) -> str:
    if opening is None:
        return "no incident"
    words = {
        "automatic": f"runs by itself, {opening.attempts} sent",
        "approval": "a person is asked",
        "deferred": "put off",
        "blocked": "blocked",
        "escalated": "a person is called",
        "nothing": "nothing is done",
    }[opening.outcome]
    called = opening.escalated and opening.outcome != "escalated"
    return f"{words}, then a person is called" if called else words


def really(event_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What became of the incidents that these events are in, by event. Two queries."""
    members = IncidentEvent.objects.filter(event__in=list(event_ids)).select_related("incident")
    found = {str(member.event_id): member.incident for member in members}
    retries = Action.objects.filter(incident__in=set(found.values()), kind=ActionKind.RETRY)
    statuses: dict[Any, set[str]] = {}
    for incident_id, status in retries.values_list("incident", "status"):
        statuses.setdefault(incident_id, set()).add(status)
    rows = {}
    for event_id, incident in found.items():
        words, bad = _fate(incident.status, statuses.get(incident.pk, set()))
        link = {"id": str(incident.pk), "number": incident.number}
        rows[event_id] = {"incident": link, "really": words, "bad": bad}
    return rows


def _fate(status: str, retries: set[str]) -> tuple[str, bool]:
    """In words, and whether it speaks against running it without a person."""
    if ActionStatus.SUCCEEDED in retries:
        return "A retry worked", False
    if ActionStatus.REJECTED in retries:
        return "A person rejected it", True
    if ActionStatus.FAILED in retries:
        return "A retry failed", True
    if status == IncidentStatus.RESOLVED:
        return "Recovered without a retry", False
    return ("Ignored" if status == IncidentStatus.IGNORED else "Still open"), False
