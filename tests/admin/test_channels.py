"""Channels and policies in the admin: addresses are written, never read; each change is audited."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from actions.models import Channel, EscalationPolicy, Page
from awfdrs_site.kernel.models import AuditEntry
from tests.admin.conftest import World
from tests.admin.test_pages import url

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops"
MAIL = "mailto://anna:hunter22@example.com"


def add(client: Client, world: World, **fields: str) -> Any:
    body = {"tenant": str(world.tenant.pk), "name": "Slack", "url": SLACK, "enabled": "on"}
    return client.post(url(Channel, "add"), body | fields)


def entries(channel: Channel) -> str:
    rows = AuditEntry.objects.filter(subject_id=str(channel.pk)).order_by("id")
    return str([(row.verb, row.before, row.after) for row in rows])


def test_it_adds_one_whose_address_is_not_shown_again(anna: Client, world: World) -> None:
    assert add(anna, world).status_code == 302
    channel = Channel.objects.get(name="Slack")
    assert (channel.kind, channel.secret()) == ("slack", SLACK)
    page = anna.get(url(Channel, "change", channel.pk)).content.decode()
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in page + entries(channel)
    assert "created" in entries(channel)


def test_an_empty_address_keeps_the_stored_one(anna: Client, world: World) -> None:
    """Another one replaces it and its kind; the audit log says that, and not what it is."""
    add(anna, world)
    channel = Channel.objects.get(name="Slack")
    page = url(Channel, "change", channel.pk)
    assert anna.post(page, {"url": "", "enabled": "on"}).status_code == 302
    channel.refresh_from_db()
    assert channel.secret() == SLACK
    assert anna.post(page, {"url": MAIL, "enabled": "on"}).status_code == 302
    channel.refresh_from_db()
    assert (channel.kind, channel.secret()) == ("email", MAIL)
    assert "[set anew]" in entries(channel)
    assert "hunter22" not in entries(channel)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "A channel needs one."),
        ("jsons://169.254.169.254/x", "It leads to this machine or its network."),
        ("syslog://", "is no kind of channel"),
        ("mailto://anna:hunter22@127.0.0.1", "This is no address of a channel"),
    ],
)
def test_it_refuses_an_address_in_words(
    anna: Client, world: World, address: str, words: str
) -> None:
    answer = add(anna, world, url=address)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert "hunter22" not in answer.content.decode()
    assert not Channel.objects.filter(name="Slack").exists()


def test_it_keeps_its_name(anna: Client, world: World) -> None:
    page = url(Channel, "change", world.channel.pk)
    anna.post(page, {"name": "Other", "url": "", "enabled": "on"})
    assert Channel.objects.get(pk=world.channel.pk).name == "Ops"


def test_it_sends_a_test(anna: Client, world: World) -> None:
    body = {"action": "test", "_selected_action": [str(world.channel.pk)]}
    assert anna.post(url(Channel, "changelist"), body).status_code == 302
    page = Page.objects.get(incident=None)
    assert (page.channel, page.status) == (world.channel, "pending")
    assert "tested" in entries(world.channel)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ('[{"after_seconds": 0, "channels": ["Ops"]}]', ""),
        ("[]", ""),
        ('[{"after_seconds": 0, "channels": ["Nobody"]}]', "There is no channel Nobody."),
        ('[{"after_seconds": -1, "channels": ["Ops"]}]', "after_seconds"),
        ('{"after_seconds": 0}', "array"),
        ("7", "array"),
        ("nonsense", "JSON"),
    ],
)
def test_a_policy_calls_channels_that_there_are(
    anna: Client, world: World, steps: str, words: str
) -> None:
    body = {
        "tenant": str(world.tenant.pk), "severity": "critical", "steps": steps, "repeats": "1",
        "repeat_after_seconds": "900",
    }  # fmt: skip
    answer = anna.post(url(EscalationPolicy, "add"), body)
    assert answer.status_code == (200 if words else 302)
    assert EscalationPolicy.objects.filter(severity="critical").exists() is not bool(words)
    if words:
        assert words in answer.content.decode()


def test_it_cannot_call_another_tenants_channel(anna: Client, world: World, other: World) -> None:
    Channel.objects.filter(pk=other.channel.pk).update(name="Theirs")
    steps = '[{"after_seconds": 0, "channels": ["Theirs"]}]'
    body = {
        "tenant": str(world.tenant.pk), "severity": "high", "steps": steps, "repeats": "0",
        "repeat_after_seconds": "900",
    }  # fmt: skip
    assert anna.post(url(EscalationPolicy, "add"), body).status_code == 200
