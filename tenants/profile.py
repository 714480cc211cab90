"""What people change about themselves: name, password, how pages look. All of it is audited."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.db import transaction

from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.problem import FieldError, invalid
from tenants.access import Identity, note
from tenants.models import Density, Membership, Preferences, Theme
from tenants.preferences import zones

# First and last name with the space between them are an actor's name of at most 150 characters.
NAME_CHARS = 70


@transaction.atomic
def rename(*, identity: Identity, user: User, first: str, last: str, now: datetime) -> None:
    """Change the name that stands beside everything the person does.

    Problem 400 for one too long, or by which somebody else of their tenants (or the machine) is
    known: the audit log names people by it.
    """
    if max(len(first), len(last)) > NAME_CHARS:
        raise invalid([FieldError("name", "length", f"At most {NAME_CHARS} characters each.")])
    wanted = User(username=user.username, first_name=first, last_name=last)
    if first or last:
        _check_is_free(user, wanted.get_full_name())
    before = {"first_name": user.first_name, "last_name": user.last_name}
    after = {"first_name": first, "last_name": last}
    if before != after:
        User.objects.filter(pk=user.pk).update(**after)
        note(identity, "renamed", user, now, before, after)


def _check_is_free(user: User, name: str) -> None:
    mine = Membership.objects.filter(user=user).values("tenant")
    others = User.objects.filter(memberships__tenant__in=mine).exclude(pk=user.pk).distinct()
    known = {MACHINE.name.casefold()}
    for other in others:
        known |= {other.get_full_name().casefold(), other.get_username().casefold()}
    if " ".join(name.split()).casefold() in known:
        raise invalid([FieldError("name", "taken", "Somebody else here is known by this name.")])


@transaction.atomic
def set_preferences(
    *, identity: Identity, user: User, now: datetime, **wanted: str | bool
) -> Preferences:
    """Keep some of `time_zone`, `theme`, `density`, `single_keys` for the person, on every browser.

    Problem 400 for a value that is none of theirs.
    """
    allowed = {
        "time_zone": ("", *zones()),
        "theme": ("", *Theme.values),
        "density": tuple(Density.values),
        "single_keys": (True, False),
    }
    wrong = [name for name, value in wanted.items() if value not in allowed[name]]
    if wrong:
        raise invalid([FieldError(name, "invalid_choice", "No such choice.") for name in wrong])
    row, _ = Preferences.objects.get_or_create(user=user)
    before = {name: getattr(row, name) for name in wanted}
    if before != wanted:
        Preferences.objects.filter(pk=user.pk).update(**wanted)
        row.refresh_from_db()
        note(identity, "preferences", user, now, before, wanted)
    return row


@transaction.atomic
def change_password(
    *, identity: Identity, user: User, password: str, repeated: str, now: datetime
) -> None:
    """A new password; every other session and token of the person ends. Problem 400 for a weak one.

    The caller has checked the old one.
    """
    form = SetPasswordForm(user, {"new_password1": password, "new_password2": repeated})
    if not form.is_valid():
        said = [str(text) for texts in form.errors.values() for text in texts]
        raise invalid([FieldError("password", "invalid", text) for text in said])
    form.save()
    note(identity, "password", user, now)
