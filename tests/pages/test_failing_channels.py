"""A channel that reaches nobody is shown on every page."""

from __future__ import annotations

import pytest
from django.utils import timezone

from actions.escalation.models import Channel
from tests.cast import Cast
from tests.pages.looks import text_of

PAGES = ("/", "/incidents/", "/approvals/", "/actions/", "/safety/", "/rules/")


def a_channel(cast: Cast, name: str, **fields: object) -> Channel:
    return Channel.objects.create(
        tenant=cast.meridian, name=name, kind="email", sealed=b"", **fields
    )


@pytest.mark.parametrize("path", PAGES)
def test_every_page_names_it(cast: Cast, path: str) -> None:
    failing = {"failures": 4, "failing_since": timezone.now()}
    a_channel(cast, "Works")
    a_channel(cast, "Off", enabled=False, **failing)
    assert "cannot be reached" not in text_of(cast.client_as("vera").get(path))
    a_channel(cast, "Anna", **failing)
    shown = text_of(cast.client_as("vera").get(path))
    assert "Anna cannot be reached. 4 calls by e-mail in a row did not arrive" in shown
    assert "Review channels" not in shown
    a_channel(cast, "Team", **failing)
    shown = text_of(cast.client_as("anna").get(path))
    assert "Anna and 1 more channel cannot be reached." in shown
    assert "Review channels" in shown
    assert "cannot be reached" not in text_of(cast.client_as("mallory").get(path))
