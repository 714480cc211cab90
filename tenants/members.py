"""Who belongs to a tenant, changed by its admins: one admin always stays."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from awfdrs_site.kernel import audit
from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import FieldError, invalid
from tenants.access import OPERATE, Identity
from tenants.models import Membership, Role
from tenants.services import set_member


def people_to_add(identity: Identity) -> QuerySet[User]:
    """Whom this admin may add: people of other tenants they are admin of; operators, everybody.

    Who is in no tenant of theirs does not exist for them, as on the admin's pages.
    """
    people = User.objects.filter(is_active=True).exclude(memberships__tenant=identity.tenant)
    if OPERATE not in identity.scopes:
        mine = Membership.objects.filter(user=identity.user, role=Role.ADMIN)
        people = people.filter(memberships__tenant__in=mine.values("tenant"))
    return people.distinct().order_by("username")


@transaction.atomic
def change_role(
    *, membership: Membership, role: str, actor: Actor, now: datetime, comment: str = ""
) -> Membership:
    """Give a member another role. Locks the tenant's admins; 400 where none would be left."""
    if role != Role.ADMIN:
        check_admin_stays(membership)
    return set_member(
        tenant=membership.tenant,
        user=membership.user,
        role=role,
        actor=actor,
        now=now,
        comment=comment,
    )


@transaction.atomic
def remove_member(
    *, membership: Membership, actor: Actor, now: datetime, comment: str = ""
) -> None:
    """End it: the person's next request is refused. Locks the tenant's admins; 400 for the last."""
    check_admin_stays(membership)
    before = {"user": membership.user.get_username(), "role": membership.role}
    audit.record(
        tenant_id=membership.tenant_id,
        actor=actor,
        verb="removed",
        subject=membership,
        now=now,
        before=before,
        comment=comment,
    )
    membership.delete()


def check_admin_stays(leaving: Membership) -> None:
    """Problem 400 if without `leaving` no admin who can sign in would be left. Locks the admins.

    Two admins who remove each other wait here for one another, and the second is refused.
    """
    admins = Membership.objects.select_for_update(of=("self",), no_key=True).filter(
        tenant=leaving.tenant_id, role=Role.ADMIN, user__is_active=True
    )
    if [row.pk for row in admins.order_by("pk")] == [leaving.pk]:
        said = "One admin must stay. Name another first."
        raise invalid([FieldError("role", "last_admin", said)])
