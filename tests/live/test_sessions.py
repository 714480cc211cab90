"""An open page whose person may not follow it any more is closed, with the reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from awfdrs_site.live.hub import REFUSED, SIGNED_OUT
from tenants.access import SESSION_KEY
from tenants.models import Membership
from tests.cast import Cast
from tests.live.screens import HubScreen, Screens


def _sign_out(cast: Cast, key: str) -> None:
    Session.objects.filter(session_key=key).delete()


def _expire(cast: Cast, key: str) -> None:
    Session.objects.filter(session_key=key).update(expire_date=timezone.now())


def _change_password(cast: Cast, key: str) -> None:
    anna = cast.people["anna"]
    anna.set_password("another horse battery staple")
    anna.save()


def _deactivate(cast: Cast, key: str) -> None:
    anna = cast.people["anna"]
    anna.is_active = False
    anna.save()


def _lose_membership(cast: Cast, key: str) -> None:
    Membership.objects.filter(user=cast.people["anna"]).delete()


def _lose_role(cast: Cast, key: str) -> None:
    Membership.objects.filter(user=cast.people["anna"]).update(role="viewer")


def _choose_another_tenant(cast: Cast, key: str) -> None:
    row = Session.objects.get(session_key=key)
    session = row.get_decoded() | {SESSION_KEY: str(cast.northwind.pk)}
    row.session_data = Session.get_session_store_class()().encode(session)
    row.save()


@pytest.mark.parametrize(
    ("lose", "code"),
    [
        (_sign_out, SIGNED_OUT),
        (_expire, SIGNED_OUT),
        (_change_password, SIGNED_OUT),
        (_deactivate, SIGNED_OUT),
        (_lose_membership, REFUSED),
        (_lose_role, REFUSED),
        (_choose_another_tenant, REFUSED),
    ],
)
def test_it_is_closed(
    committed_cast: Cast, screens: Screens, lose: Callable[[Cast, str], None], code: int
) -> None:
    """With the next beat, and nobody else is. Each seen red without its part of the look-up."""
    anna: HubScreen = screens.open("anna", "incidents")
    alice = screens.open("alice", "incidents")
    lose(committed_cast, anna.page.session_key)
    anna.await_(lambda frame: frame == code)
    alice.await_(lambda frame: frame == {"live": True}, since=1)
    assert not [frame for frame in alice.frames if isinstance(frame, int)]
