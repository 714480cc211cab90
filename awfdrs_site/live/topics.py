"""Which topics a page can follow, and the markup of those whose rows are pushed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from functools import partial

from django.db.models import Model
from django.template.loader import render_to_string

from actions.plans.progress import progress_of
from actions.plans.selectors import recoveries_for, with_attempts
from actions.selectors import actions_for
from incidents.models import Mention, TimelineEntry
from incidents.selectors import incidents_for
from tenants.models import Tenant

# As many lines as a feed keeps.
MOST_LINES = 60

# The rows of these keys as they are now, rendered once for all who look; who left has none.
Load = Callable[[Tenant, Collection[str]], list[str]]


def _rendered(template: str, name: str, rows: Iterable[Model]) -> list[str]:
    return [render_to_string(template, {name: row}) for row in rows]


def incidents(tenant: Tenant, keys: Collection[str]) -> list[str]:
    rows = incidents_for(tenant).filter(pk__in=keys)
    return _rendered("incidents/_row.html", "incident", rows)


def actions(tenant: Tenant, keys: Collection[str]) -> list[str]:
    return _rendered("actions/_row.html", "action", actions_for(tenant).filter(pk__in=keys))


def recoveries(tenant: Tenant, keys: Collection[str]) -> list[str]:
    rows = list(with_attempts(recoveries_for(tenant)).filter(pk__in=keys))
    for recovery in rows:
        recovery.progress = progress_of(recovery)  # type: ignore[attr-defined]
    return _rendered("recoveries/_row.html", "recovery", rows)


def feed(tenant: Tenant, keys: Collection[str]) -> list[str]:
    """Oldest first, for each line goes on top; of many the newest."""
    rows = TimelineEntry.objects.filter(tenant=tenant, pk__in=keys).select_related("incident")
    newest = rows.order_by("-id")[:MOST_LINES]
    return _rendered("partials/_feed_line.html", "entry", reversed(newest))


def mentions(user_id: int, tenant: Tenant, keys: Collection[str]) -> list[str]:
    """What names the person in the comments of these keys, as messages; what they saw is none."""
    rows = Mention.objects.filter(entry__tenant=tenant, user=user_id, seen_at=None)
    rows = rows.filter(entry__in=[key for key in keys if key]).select_related("entry__incident")
    return _rendered("incidents/_mention_toast.html", "mention", rows.order_by("entry"))


# A topic without rows of its own only says that what shows it is old.
TOPICS: dict[str, Load | None] = {
    "incidents": incidents,
    "actions": actions,
    "recoveries": recoveries,
    "feed": feed,
    "overview": None,
    "approvals": None,
    "safety": None,
    "channels": None,
}
PERSON = re.compile(r"person:([0-9]{1,18})")
INCIDENT = re.compile(r"incident:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def is_topic(name: object) -> bool:
    if not isinstance(name, str):
        return False
    return name in TOPICS or any(one.fullmatch(name) for one in (INCIDENT, PERSON))


def load_of(topic: str) -> Load | None:
    """How the topic's rows are read; None: it has none."""
    person = PERSON.fullmatch(topic)
    return partial(mentions, int(person[1])) if person else TOPICS.get(topic)
