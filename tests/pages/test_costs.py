"""What a page costs: few queries however much there is, and few bytes [G5].

The budget of queries is a page's own. What every page asks beside them (the sign-in, and the shell
with its counts and banners) is what the plainest page asks.

The bytes are those of a first visit, compressed: the page, the styles, the scripts and the symbols
in it, without Plotly, which only charts fetch, and later.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.db import connection, transaction
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from actions.models import Channel
from awfdrs_site.kernel.actor import MACHINE
from incidents.models import Incident
from safety.models import Vendor
from safety.services import engage_switch
from tests.api.conftest import an_action, an_incident
from tests.builders import an_event
from tests.cast import QUICK_HASHER, Cast, make_cast
from tests.recoveries import a_recovery
from tests.tenants.url_table import Url, every_url

PAGES = [url for url in every_url() if url.view is None and not url.public]
PLAIN = "settings/"
OWN, BESIDE = 8, 10
BYTES = 150_000
_LINKED = re.compile(r'(?:src|href)="/static/([^"]+\.(?:js|css))"')
_IMPORTED = re.compile(r'^import .*?"\./([\w-]+\.js)"', re.MULTILINE)


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[Client, dict[str, Any]]]:
    """Anna's browser, and Meridian with more of everything than a page shows."""
    quick = override_settings(PASSWORD_HASHERS=[QUICK_HASHER])
    with quick, django_db_blocker.unblock(), transaction.atomic():
        cast = make_cast()
        yield cast.client_as("anna"), _fill(cast)
        transaction.set_rollback(True)


def _fill(cast: Cast) -> dict[str, Any]:
    now, vendor = timezone.now(), "stripe"
    Vendor.objects.create(tenant=cast.meridian, name=vendor)
    Channel.objects.create(tenant=cast.meridian, name="Ops", kind="email", sealed=b"x")
    for number in range(60):
        seen = now - timedelta(minutes=number)
        incident = an_incident(cast.capture, vendor=vendor, seen=seen)
        an_event(cast.capture, vendor=vendor, received_at=seen)
        action, recovery = an_action(incident), a_recovery(incident)
    person = cast.people["alice"]
    shown = Incident.objects.filter(pk=incident.pk)
    shown.update(acknowledged_by=person, acknowledged_at=now, snoozed_by=person, snoozed_at=now)
    switch = engage_switch(
        tenant=cast.meridian, scope="workflow", workflow=cast.contacts, actor=MACHINE, now=now
    )
    return {
        "actions": action.pk,
        "incidents": incident.pk,
        "recoveries": recovery.pk,
        "safety": switch.pk,
        "workflows": cast.capture.pk,
    }


def _pages(client: Client, ids: dict[str, Any]) -> Iterator[tuple[Url, str, int]]:
    """Each that answers with a page: its URL, its HTML, and how many queries it took."""
    for url in PAGES:
        if not set(url.parameters) <= ids.keys():
            continue
        with CaptureQueriesContext(connection) as asked:
            answer = client.get(url.fill(ids))
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
            reads = [query for query in asked if "SAVEPOINT" not in query["sql"]]
            yield url, answer.content.decode(), len(reads)


def test_every_page_asks_few_queries(db: None, world: tuple[Client, dict[str, Any]]) -> None:
    """Seen red with a budget of one less."""
    world[0].get("/")
    asked = {url.route: count for url, _, count in _pages(*world)}
    beside = asked[PLAIN]
    own = {route: count - beside for route, count in asked.items()}
    assert len(own) >= 15
    assert beside <= BESIDE
    assert {route: n for route, n in own.items() if n > OWN} == {}


def test_every_page_is_light(db: None, world: tuple[Client, dict[str, Any]]) -> None:
    """Seen red with BYTES of half as many."""
    sizes = {
        url.route: len(gzip.compress(html.encode())) + sum(map(_compressed, _files(html)))
        for url, html, _ in _pages(*world)
    }
    assert {route: size for route, size in sizes.items() if size > BYTES} == {}


def _files(html: str) -> set[str]:
    """The scripts and styles that the page links, and the modules those import."""
    found, left = set(), {name for name in _LINKED.findall(html) if "plotly" not in name}
    while left:
        name = left.pop()
        found.add(name)
        if name.startswith("js/"):
            text = Path(str(finders.find(name))).read_text()
            left |= {f"js/{other}" for other in _IMPORTED.findall(text)} - found
    assert any(name.endswith(".css") for name in found)
    return found


def _compressed(name: str) -> int:
    return len(gzip.compress(Path(str(finders.find(name))).read_bytes()))
