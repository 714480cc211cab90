"""Queries of the incident list that people keep: for themselves, or for everybody in the tenant.

Everybody sees their own and the shared ones. The owner and admins change them, an admin only what
is shared; sharing needs a role that acts, for it changes what others see.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from awfdrs_site.kernel.problem import FieldError, Problem, invalid, not_found
from awfdrs_site.kernel.transition import lock
from incidents.listing.query import parse
from incidents.models import SavedView
from tenants.access import Identity, note
from tenants.models import Scope, Tenant

MOST = 30
KEPT = timedelta(days=1)


def views_for(tenant: Tenant, user: User | None) -> QuerySet[SavedView]:
    """The person's own and the shared ones, by name."""
    seen = Q(owner=user) | Q(shared=True) if user else Q(shared=True)
    views = SavedView.objects.filter(seen, tenant=tenant, deleted_at=None)
    return views.select_related("owner").order_by("name", "id")


def get_view_for(tenant: Tenant, user: User | None, pk: UUID) -> SavedView:
    """A view that the person sees, or the same 404 that an unknown id gets."""
    view = views_for(tenant, user).filter(pk=pk).first()
    if view is None:
        raise not_found("No such view.")
    return view


def may_change(identity: Identity, view: SavedView) -> bool:
    """Whether it is the person's own, or shared and they are an admin."""
    mine = identity.user is not None and view.owner_id == identity.user.pk
    return mine or (view.shared and Scope.ADMIN in identity.scopes)


@transaction.atomic
def save_view(
    *, identity: Identity, name: str, text: str, sort: str, shared: bool, now: datetime
) -> SavedView:
    """Keep a query; one of the person's own of that name is replaced.

    400 for a name that is none, a query with a mistake, or more than MOST; 403 for sharing
    without a role that acts.
    """
    owner = _person(identity)
    _want_name(name)
    _want_right_to_share(identity, shared)
    reading = parse(text)
    if reading.mistakes:
        raise invalid([FieldError("q", "invalid", reading.mistakes[0].detail)])
    mine = SavedView.objects.filter(tenant=identity.tenant, owner=owner, deleted_at=None)
    if mine.exclude(name=name).count() >= MOST:
        raise invalid([FieldError("name", "too_many", f"You keep {MOST} views already.")])
    asked = {"text": reading.query.text, "sort": sort, "shared": shared}
    before = mine.filter(name=name).values("text", "sort", "shared").first()
    view, _ = SavedView.objects.update_or_create(
        tenant=identity.tenant,
        owner=owner,
        name=name,
        deleted_at=None,
        defaults=asked,
        create_defaults={**asked, "created_at": now},
    )
    note(identity, "saved", view, now, before, {"name": name, **asked})
    return view


@transaction.atomic
def change_view(
    *, identity: Identity, view: SavedView, name: str, shared: bool, now: datetime
) -> SavedView:
    """Rename it, share it or no longer; 403 for who may not, 400 for a name that is taken."""
    view = _to_change(identity, view)
    _want_name(name)
    if shared != view.shared:
        _want_right_to_share(identity, shared)
    _want_free_name(view, name)
    before = {"name": view.name, "shared": view.shared}
    view.name, view.shared = name, shared
    view.save(update_fields=["name", "shared"])
    note(identity, "changed", view, now, before, {"name": name, "shared": shared})
    return view


@transaction.atomic
def delete_view(*, identity: Identity, view: SavedView, now: datetime) -> None:
    """Nobody sees it any more; for a day it can be taken back."""
    view = _to_change(identity, view)
    SavedView.objects.filter(tenant=view.tenant_id, deleted_at__lt=now - KEPT).delete()
    view.deleted_at = now
    view.save(update_fields=["deleted_at"])
    note(identity, "deleted", view, now, {"name": view.name}, None)


@transaction.atomic
def restore_view(*, identity: Identity, pk: UUID, now: datetime) -> SavedView:
    """Take a deletion back; 404 for what was not deleted within a day, or by who may not."""
    gone = SavedView.objects.filter(
        pk=pk, tenant=identity.tenant, deleted_at__gte=now - KEPT
    ).first()
    view = lock(gone) if gone else None
    if view is None or view.deleted_at is None or not may_change(identity, view):
        raise not_found("No such view.")
    _want_free_name(view, view.name)
    view.deleted_at = None
    view.save(update_fields=["deleted_at"])
    note(identity, "restored", view, now, None, {"name": view.name})
    return view


def _person(identity: Identity) -> User:
    if identity.user is None:
        raise Problem(403, "permission_denied", "A view belongs to a person.")
    return identity.user


def _to_change(identity: Identity, view: SavedView) -> SavedView:
    view = lock(view)
    if view.deleted_at is not None:
        raise not_found("No such view.")
    if not may_change(identity, view):
        detail = f"{view.name} belongs to somebody else; its owner or an admin changes it."
        raise Problem(403, "permission_denied", detail)
    return view


def _want_name(name: str) -> None:
    limit = SavedView._meta.get_field("name").max_length or 0
    if not name or len(name) > limit or not name.isprintable():
        detail = f"A name of 1 to {limit} characters. Nothing was saved."
        raise invalid([FieldError("name", "invalid", detail)])


def _want_free_name(view: SavedView, name: str) -> None:
    others = SavedView.objects.filter(
        tenant=view.tenant_id, owner=view.owner_id, name=name, deleted_at=None
    )
    if others.exclude(pk=view.pk).exists():
        detail = f"There is a view {name} already. Nothing was changed."
        raise invalid([FieldError("name", "taken", detail)])


def _want_right_to_share(identity: Identity, shared: bool) -> None:
    if shared and Scope.ACT not in identity.scopes:
        raise Problem(403, "permission_denied", "Sharing a view needs the role responder.")
