"""When `manage.py seed_demo` writes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from awfdrs_site import demo_story
from tenants.models import Tenant


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """Real hashes would be most of these tests' time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def seed() -> None:
    call_command("seed_demo")


def test_it_refuses_an_installation_that_is_public(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "ENV", replace(settings.ENV, https=True))
    with pytest.raises(CommandError, match="AWFDRS_HTTPS"):
        seed()
    assert not Tenant.objects.exists()


def test_it_writes_all_or_nothing(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A story that cannot be told leaves no tenants behind."""

    def break_off(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(demo_story, "tell", break_off)
    with pytest.raises(RuntimeError):
        seed()
    assert not Tenant.objects.exists()
