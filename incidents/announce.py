"""Telling the open pages what changed, after the commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from awfdrs_site.kernel import live
from awfdrs_site.kernel.actor import Actor
from incidents.models import Incident, TimelineEntry


def changed(incident: Incident) -> None:
    """Send the incident's row to the lists and a hint to its page and the figures."""
    live.publish(incident.tenant_id, "incidents", incident.pk)
    live.publish(incident.tenant_id, f"incident:{incident.pk}")
    live.publish(incident.tenant_id, "overview")


def values_of(incident: Incident, names: Iterable[str]) -> dict[str, Any]:
    """Fields of the incident as `data` of a timeline entry: ids, and instants as text."""
    values = {name: getattr(incident, name) for name in names}
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in values.items()}


def note(
    incident: Incident,
    kind: str,
    text: str,
    *,
    actor: Actor,
    now: datetime,
    data: Mapping[str, Any] | None = None,
) -> TimelineEntry:
    """Write a timeline entry in the caller's transaction; its line goes to every feed."""
    entry = TimelineEntry.objects.create(
        tenant_id=incident.tenant_id,
        incident=incident,
        at=now,
        actor_kind=actor.kind,
        actor=actor.name,
        kind=kind,
        text=text,
        data=dict(data or {}),
    )
    live.publish(incident.tenant_id, "feed", entry.pk)
    return entry
