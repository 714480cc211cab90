"""Connectors in the admin: the secret is written and never read again [A7]."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from actions.models import Connector, Delivery
from awfdrs_site.kernel.models import AuditEntry
from tests.admin.conftest import World
from tests.admin.test_pages import url
from tests.connectors.servers import Server, a_server

CANARY = "whsec_Y2FuYXJ5LW9mLXRoZS1hZG1pbi1wYWdlLTAwMDI="


@pytest.fixture
def server() -> Iterator[Server]:
    with a_server(lambda call: (200, {"you_sent": CANARY})) as server:
        yield server


def body(world: World, server_url: str = "http://127.0.0.1:9", **fields: str) -> dict[str, str]:
    return {
        "tenant": str(world.tenant.pk), "name": "engine", "kind": "http",
        "settings": json.dumps({"base_url": server_url}), "secret": "", "is_enabled": "on",
    } | fields  # fmt: skip


def test_a_secret_is_sealed_and_never_shown(anna: Client, world: World) -> None:
    """Not on its page, in the list, or in the audit log; what it was set to is not said."""
    answer = anna.post(url(Connector, "add"), body(world, secret=CANARY))
    assert answer.status_code == 302
    connector = Connector.objects.get(name="engine")
    assert connector.secret() == CANARY
    change = url(Connector, "change", connector.pk)
    for page in (change, url(Connector, "changelist"), url(Connector, "history", connector.pk)):
        assert CANARY not in anna.get(page).content.decode()
    entry = AuditEntry.objects.order_by("pk").last()
    assert entry is not None
    assert (entry.verb, entry.after["sealed"]) == ("created", "[set]")
    assert CANARY not in json.dumps([entry.before, entry.after])


def test_an_empty_secret_keeps_the_stored_one_and_a_new_one_is_audited(
    anna: Client, world: World
) -> None:
    change = url(Connector, "change", world.connector.pk)
    stored = world.connector.secret()
    given = body(world, name=world.connector.name)
    assert anna.post(change, given).status_code == 302
    world.connector.refresh_from_db()
    assert world.connector.secret() == stored
    assert anna.post(change, given | {"secret": CANARY}).status_code == 302
    world.connector.refresh_from_db()
    assert world.connector.secret() == CANARY
    entry = AuditEntry.objects.order_by("pk").last()
    assert entry is not None
    assert entry.after == {"sealed": "[set anew]"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"settings": "{}"}, "missing required field"),
        ({"settings": ""}, "missing required field"),
        ({"settings": "[1]"}, "Expected `object`"),
        ({"settings": '{"base_url": "http://127.0.0.1:9", "more": 1}'}, "unknown field"),
        ({"settings": '{"base_url": "file:///etc/passwd"}'}, "plain http(s)"),
        ({"settings": '{"base_url": "https://169.254.169.254/"}'}, "not public"),
        ({"settings": '{"base_url": "https://u:p@example.org/"}'}, "plain http(s)"),
        ({"settings": '{"base_url": "https://example.org:8443/"}'}, "on port 443"),
        ({"secret": "no secret"}, "It has the form"),
        ({"secret": ""}, "It needs a secret"),
        ({"kind": "ftp"}, "Select a valid choice"),
        ({"name": "No Name"}, "Lower-case"),
    ],
)
def test_a_connector_that_could_not_work_is_refused(
    anna: Client, world: World, fields: dict[str, str], words: str
) -> None:
    answer = anna.post(url(Connector, "add"), body(world, secret=CANARY) | fields)
    assert answer.status_code == 200
    page = answer.content.decode().replace("&#x27;", "'").replace("&quot;", '"')
    assert words in page
    assert CANARY not in page
    assert not Connector.objects.filter(name="engine").exists()


def test_its_button_saves_and_then_tests_the_connection(
    anna: Client,
    world: World,
    server: Server,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    """What is called is what was just written; the call stands in the log."""
    change = url(Connector, "change", world.connector.pk)
    button = "actions_connector_save_and_test"
    assert f'name="{button}"' in anna.get(change).content.decode()
    given = body(world, server.url, name=world.connector.name, secret=CANARY)
    before = Delivery.objects.count()
    with django_capture_on_commit_callbacks(execute=True):
        assert anna.post(change, given | {button: "1"}).status_code == 302
        assert server.calls == [], "nothing is called inside the transaction"
    assert server.made() == [("GET", "/")]
    assert Delivery.objects.count() == before + 1
    newest = Delivery.objects.order_by("-id").first()
    assert newest is not None
    assert (newest.connector_id, newest.action_id) == (world.connector.pk, None)
