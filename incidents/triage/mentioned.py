"""Members whom comments name: kept, told at once, and unseen until they open the incident [I6]."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, User
from django.db.models import QuerySet

from awfdrs_site.kernel import live
from awfdrs_site.kernel.actor import Actor
from incidents.models import Incident, Mention, TimelineEntry
from incidents.selectors import members_of
from incidents.triage.mentions import named_in
from tenants.models import Tenant


def topic_of(user: AbstractBaseUser) -> str:
    """The live topic that a person alone hears."""
    return f"person:{user.pk}"


def named_members(incident: Incident, text: str) -> list[User]:
    """The members of the incident's tenant whom the text names, in order."""
    if "@" not in text:
        return []
    members = {user.username: user for user in members_of(incident.tenant)}
    return [members[name] for name in named_in(text, members)]


def tell(entry: TimelineEntry, members: list[User], actor: Actor, now: datetime) -> None:
    """Keep that the comment names them, in the caller's transaction; they hear of it on commit.

    Who names themselves has seen it.
    """
    own = actor.user_id
    Mention.objects.bulk_create(
        Mention(entry=entry, user=user, seen_at=now if user.pk == own else None) for user in members
    )
    for user in members:
        if user.pk != own:
            live.publish(entry.tenant_id, topic_of(user), entry.pk)


def mentions_for(tenant: Tenant, user: AbstractBaseUser) -> QuerySet[Mention]:
    """Where the person was named in the tenant, newest first."""
    rows = Mention.objects.filter(user_id=user.pk, entry__tenant=tenant)
    return rows.select_related("entry__incident").order_by("-entry_id")


def see(tenant: Tenant, incident: Incident, user: AbstractBaseUser, now: datetime) -> int:
    """The person has opened the incident; how many mentions were new. Their pages follow."""
    unseen = mentions_for(tenant, user).filter(entry__incident=incident, seen_at=None)
    seen = Mention.objects.filter(pk__in=unseen.order_by().values("pk")).update(seen_at=now)
    if seen:
        live.publish(tenant.pk, topic_of(user))
    return seen
