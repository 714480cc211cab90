"""Settings, notification: how channels fare, who is called when, and testing one [A6]."""

from __future__ import annotations

from django.utils import timezone

from actions.models import Channel, EscalationPolicy, Page
from awfdrs_site.kernel.models import AuditEntry
from tests.cast import Cast
from tests.pages.looks import post_forms, text_of

PAGE = "/settings/notification"


def test_it_says_how_each_channel_fares(cast: Cast) -> None:
    now, of = timezone.now(), cast.meridian
    Channel.objects.create(tenant=of, name="new", kind="email")
    Channel.objects.create(tenant=of, name="good", kind="email", last_delivered_at=now)
    Channel.objects.create(tenant=of, name="bad", kind="email", failing_since=now, failures=4)
    Channel.objects.create(tenant=of, name="off", kind="email", enabled=False)
    page = text_of(cast.client_as("vera").get(PAGE))
    for said in ("Untried new", "Works good", "Fails bad", "Off off", "4 in a row"):
        assert said in page
    assert "every channel that is on is called at once" in page
    assert "anna can test and change them" in page


def test_it_says_who_is_called_when(cast: Cast) -> None:
    steps = [
        {"after_seconds": 0, "channels": ["Anna"]},
        {"after_seconds": 600, "channels": ["Anna", "Team"]},
    ]
    EscalationPolicy.objects.create(tenant=cast.meridian, severity="critical", steps=steps)
    EscalationPolicy.objects.create(tenant=cast.northwind, severity="high", steps=steps)
    page = text_of(cast.client_as("alice").get(PAGE))
    assert "Critical : Anna at once, then Anna, Team after 10 m" in page
    assert "High" not in page


def test_an_admin_tests_a_channel(cast: Cast) -> None:
    """Seen red (alice) with `act` asked for."""
    channel = Channel.objects.create(tenant=cast.meridian, name="Ops", kind="email")
    url = f"/settings/channels/{channel.pk}/test"
    assert [form.action for form in post_forms(cast.client_as("anna").get(PAGE))] == [url]
    assert cast.client_as("alice").post(url).status_code == 403
    assert not Page.objects.exists()
    assert cast.client_as("anna").post(url).status_code == 303
    assert Page.objects.get().channel == channel
    assert AuditEntry.objects.filter(verb="tested", actor="anna").exists()
