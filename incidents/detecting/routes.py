"""Where the failures of a merged incident's signature go: the grouper follows a merge.

Routes must not change while a batch is being counted, or an event would be counted where it no
longer belongs. So detection holds the tenant's merges, shared, from before it reads its routes to
its commit, and who merges or splits holds them alone, before any row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.db.models.functions import Greatest, Least

from incidents.models import Incident

# First half of an advisory lock's key; the second is the tenant. "MERG" in ASCII.
_LOCK = 0x4D45_5247


def hold_merges(tenant_id: UUID) -> None:
    """Keep the tenant's incidents from being merged or split until the commit."""
    _lock("pg_advisory_xact_lock_shared", tenant_id)


def lock_merges(tenant_id: UUID) -> None:
    """Wait for who counts or merges the tenant's incidents; others wait until the commit."""
    _lock("pg_advisory_xact_lock", tenant_id)


def _lock(function: str, tenant_id: UUID) -> None:
    if not connection.in_atomic_block:
        raise RuntimeError("The lock on merges needs a transaction.")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, hashtext(%s))", [_LOCK, str(tenant_id)])


@dataclass(frozen=True)
class Route:
    """`path`: the merged incidents on the way, the signature's own first; then the `survivor`."""

    path: tuple[UUID, ...]
    survivor: UUID

    @property
    def origin(self) -> UUID:
        return self.path[0]


Routes = Mapping[str, Route]


def routes_of(tenant_id: UUID, digests: Collection[str]) -> Routes:
    """Those of the signatures that have one; of a signature merged twice, the later merge's.

    The caller holds the merges.
    """
    merged = Incident.everything.filter(tenant_id=tenant_id, merged_into__isnull=False)
    own = merged.filter(signature__in=digests).order_by("merged_at")
    origins: dict[str, UUID] = {}
    above: dict[UUID, UUID | None] = {}
    for signature, pk, into in own.values_list("signature", "pk", "merged_into"):
        origins[signature], above[pk] = pk, into
    while ask := {into for into in above.values() if into and into not in above}:
        found = dict(merged.filter(pk__in=ask).values_list("pk", "merged_into"))
        above |= {pk: found.get(pk) for pk in ask}
    return {signature: _route(pk, above) for signature, pk in origins.items()}


def _route(origin: UUID, above: Mapping[UUID, UUID | None]) -> Route:
    path, at = [], origin
    while (into := above[at]) is not None:
        path.append(at)
        at = into
    return Route(tuple(path), at)


def count_on_the_way(route: Route, received: Sequence[datetime]) -> None:
    """Count events, received then, in each merged incident on the way to the survivor, whose lock
    the caller has; a split takes these counts off again."""
    Incident.everything.filter(pk__in=route.path).update(
        event_count=F("event_count") + len(received),
        first_seen_at=Least("first_seen_at", min(received)),
        last_seen_at=Greatest("last_seen_at", max(received)),
    )
