"""How a person wants pages to look: which values there are, and reading them. Writes nothing."""

from __future__ import annotations

from datetime import UTC
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.contrib.auth.models import User
from django.utils import timezone

from tenants.models import Preferences

_REGIONS = (
    "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe",
    "Indian", "Pacific",
)  # fmt: skip


@cache
def zones() -> tuple[str, ...]:
    """The time zones to choose from: UTC, then those named by a place."""
    places = (name for name in available_timezones() if name.split("/")[0] in _REGIONS)
    return ("UTC", *sorted(name for name in places if "/" in name))


def preferences_of(user: User) -> Preferences:
    """The person's, or the defaults; no query for the user of an identity."""
    try:
        return user.preferences
    except Preferences.DoesNotExist:
        return Preferences(user=user)


def activate_zone(name: str) -> None:
    """Show times in that zone; in UTC for none, or one that this machine does not know."""
    try:
        timezone.activate(ZoneInfo(name) if name else UTC)
    except (ZoneInfoNotFoundError, ValueError):
        timezone.activate(UTC)
