"""Telling the open pages what changed, after the commit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from awfdrs_site.kernel import live
from awfdrs_site.kernel.actor import Actor
from incidents.models import Incident, TimelineEntry


def changed(incident: Incident) -> None:
    """Send the incident's row to the lists and a hint to its page and the figures."""
    live.publish(
        incident.tenant_id,
        "incidents",
        template="incidents/_row.html",
        context={"incident": incident},
    )
    live.publish(incident.tenant_id, f"incident:{incident.pk}", data={"id": str(incident.pk)})
    live.publish(incident.tenant_id, "overview", data={"incident": str(incident.pk)})


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
    live.publish(
        incident.tenant_id, "feed", template="partials/_feed_line.html", context={"entry": entry}
    )
    return entry
