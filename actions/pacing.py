"""The pace of a bulk retry: at most so many resources of an incident a minute [A1].

Each send asks for one chunk; the next chunk is an action of its own, planned once this one has
worked. Whoever lets a chunk go earlier, no minute has more of them: `sending.start` asks here.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet

from actions.catalog import kind_named
from actions.models import Action, ActionKind
from incidents.models import FailingResource
from incidents.selectors import still_failing

# One call asks for at most so many; what is left is asked for by the next attempt, or chunk.
RESOURCES_PER_CALL = 500


def per_minute(action: Action) -> int | None:
    """The pace that was asked for, if any."""
    if action.kind != ActionKind.RETRY:
        return None
    pace: int | None = kind_named(ActionKind.RETRY).read(action.parameters).per_minute
    return pace


def chunk_of(action: Action) -> QuerySet[FailingResource]:
    """What a send of `action` asks for now: the oldest of what still fails.

    At a pace those without a name come last, for the engine takes a call without names for "all".
    """
    failing, pace = still_failing(action.incident), per_minute(action)
    if pace is None:
        return failing[:RESOURCES_PER_CALL]
    named = failing.exclude(resource_id="")
    return (named if named.exists() else failing)[: min(pace, RESOURCES_PER_CALL)]


def free_at(action: Action, now: datetime) -> datetime:
    """When `action` may be sent: so long after the incident's last retry as that one's resources,
    or a whole chunk, take at this pace. `now` for a retry without one."""
    pace = per_minute(action)
    sent = action.incident.actions.filter(kind=ActionKind.RETRY, sent_at__isnull=False)
    last = sent.exclude(pk=action.pk).order_by("-sent_at").first() if pace else None
    if pace is None or last is None or last.sent_at is None:
        return now
    asked = max(len(last.parameters.get("failing", ())), min(pace, RESOURCES_PER_CALL))
    return max(now, last.sent_at + timedelta(minutes=asked / pace))
