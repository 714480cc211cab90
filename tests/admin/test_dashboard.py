"""The admin's first page names what needs care, in one's own tenants, by few queries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from awfdrs_site.kernel.actor import MACHINE
from safety.models import KillSwitch
from tenants.models import Membership, Workflow
from tenants.services import issue_key
from tests.admin.conftest import World
from tests.admin.many import copies_of
from tests.admin.test_changes import POLICY
from tests.admin.test_pages import url

INDEX = reverse("admin:index")


def care_for(world: World) -> None:
    """Something of every kind, in the world's tenant."""
    now = timezone.now()
    issue_key(
        tenant=world.tenant, name=f"short of {world.tenant}", scopes=["read"], actor=MACHINE,
        now=now, expires_at=now + timedelta(days=3),
    )  # fmt: skip
    world.channel.failing_since, world.channel.last_error = now, "It answers 404."
    world.channel.save()


def test_it_names_what_needs_care_and_leads_there(anna: Client, world: World) -> None:
    care_for(world)
    body = POLICY | {"max_attempts": "2", "workflow": str(world.workflow.pk)}
    assert anna.post(url(type(world.policy), "change", world.policy.pk), body).status_code == 302
    page = anna.get(INDEX).content.decode()
    for words in ("Stopped by hand", "Channels that fail", "It answers 404.", "Keys that expire",
                  "Rules changed lately", "changed by admin-of-meridian"):  # fmt: skip
        assert words in page, words
    assert url(type(world.channel), "change", world.channel.pk) in page
    assert url(type(world.policy), "history", world.policy.pk) in page


def test_it_names_nothing_of_other_tenants(
    anna: Client, boss: Client, world: World, other: World
) -> None:
    """Seen red without the walls of its queries."""
    care_for(other)
    assert "northwind" not in anna.get(INDEX).content.decode().lower()
    assert "northwind" in boss.get(INDEX).content.decode().lower()


@pytest.mark.parametrize("who", ["anna", "boss"])
def test_it_takes_at_most_eight_queries(
    anna: Client, boss: Client, world: World, other: World, who: str
) -> None:
    """Also with hundreds of rows. Seen red with a page that asks for the
    permissions of Django that nobody has."""
    care_for(world)
    client = {"anna": anna, "boss": boss}[who]
    copies_of(KillSwitch, 0, 300)
    copies_of(Workflow, 0, 300)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(INDEX).status_code == 200
    assert len(queries) <= 8, [query["sql"][:80] for query in queries]


def test_where_nothing_needs_care_it_says_so(boss: Client, world: World) -> None:
    """In one line that names what was looked at."""
    KillSwitch.objects.all().delete()
    Workflow.objects.update(retry_url="https://engine.example/retry")
    page = boss.get(INDEX).content.decode()
    assert "stopped by hand, channels that fail, keys that expire" in page
    Membership.objects.all().delete()
    assert "Tenants without an admin" in boss.get(INDEX).content.decode()
