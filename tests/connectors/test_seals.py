"""Secrets of connectors: bound to their row, turned to a new key by a command [A7]."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from actions.models import Channel, Connector
from awfdrs_site.kernel.sealing import SealBrokenError, is_newest
from tests.builders import a_tenant
from tests.connectors.conftest import WHSEC, a_connector

NEW = b"new-key-of-thirty-two-bytes-0002"
pytestmark = pytest.mark.django_db


def test_it_is_stored_sealed() -> None:
    stored = Connector.objects.get(pk=a_connector(a_tenant()).pk)
    assert stored.secret() == WHSEC
    assert WHSEC.encode() not in bytes(stored.sealed)


def test_a_seal_moved_to_another_row_does_not_open() -> None:
    """Of the same tenant, or of another: who can write the table reads no secret with it."""
    ours = a_tenant()
    one = a_connector(ours)
    for thief in (a_connector(ours, name="thief"), a_connector(a_tenant(), name="thief")):
        Connector.objects.filter(pk=thief.pk).update(sealed=one.sealed)
        with pytest.raises(SealBrokenError):
            Connector.objects.get(pk=thief.pk).secret()


def test_a_row_moved_to_another_tenant_does_not_open() -> None:
    one = a_connector(a_tenant())
    Connector.objects.update(tenant=a_tenant())
    with pytest.raises(SealBrokenError):
        Connector.objects.get(pk=one.pk).secret()


def rotate() -> str:
    told = StringIO()
    call_command("rotate_seals", stdout=told)
    return told.getvalue().strip()


def test_rotation_seals_anew_so_that_the_old_key_may_go(settings: Settings) -> None:
    one = a_connector(a_tenant())
    Connector.objects.create(tenant=one.tenant, kind="http", name="without")
    channel = Channel(tenant=one.tenant, name="Ops", kind="webhook")
    channel.keep_secret("jsons://example.com/x")
    channel.save()
    settings.SEAL_KEYS = (NEW, *settings.SEAL_KEYS)
    assert rotate() == "2 sealed anew."
    settings.SEAL_KEYS = (NEW,)
    one.refresh_from_db()
    channel.refresh_from_db()
    assert (one.secret(), channel.secret()) == (WHSEC, "jsons://example.com/x")
    assert is_newest(bytes(one.sealed))
    assert rotate() == "0 sealed anew."


def test_rotation_names_what_does_not_open_and_does_the_rest(settings: Settings) -> None:
    broken, good = a_connector(a_tenant()), a_connector(a_tenant())
    Connector.objects.filter(pk=broken.pk).update(sealed=good.sealed)
    settings.SEAL_KEYS = (NEW, *settings.SEAL_KEYS)
    with pytest.raises(CommandError, match=str(broken.pk)):
        rotate()
    good.refresh_from_db()
    assert is_newest(bytes(good.sealed))
