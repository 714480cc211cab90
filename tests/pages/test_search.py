"""Search: what is found, by whom, by which words; its page without a script [U4 T4]."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from actions.models import Action
from awfdrs_site import search
from incidents.models import Incident
from safety.models import Vendor
from tests.cast import Cast
from tests.pages.looks import text_of
from tests.pages.rows import an_incident_row
from tests.recoveries import a_recovery

IMAGE = "<img src=x onerror=alert(1)>"


def found(client: Client, query: str) -> dict[str, str]:
    """What the palette is given: texts by their links (of acts, by their forms' addresses)."""
    answer = client.get(f"/search?q={quote(query)}", headers={"X-Palette": "/incidents/"})
    assert answer.status_code == 200, answer.content[:300]
    parts = re.findall(r'(?:href|action)="([^"]*)".*?</(?:a|form)>', answer.content.decode())
    whole = re.findall(r'((?:href|action)="[^"]*".*?</(?:a|form)>)', answer.content.decode())
    texts = [re.sub(r"<[^>]*>", " ", part.split(">", 1)[1]) for part in whole]
    return dict(zip(parts, map(str.strip, texts), strict=True))


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


@pytest.fixture
def incident(cast: Cast) -> Incident:
    return an_incident_row(cast.capture, title="Gateway timed out", signature_text="payments/429")


@pytest.mark.parametrize(
    "query",
    [
        "INC-{0}",
        "inc-{0}",
        "inc{0}",
        "{0}",
        "gateway",
        "TIMED gateway",
        "payments/429",
        "capture gat",
    ],
)
def test_it_finds_an_incident(alice: Client, incident: Incident, query: str) -> None:
    """By number, and by words in any order of title, signature, vendor and workflow."""
    hits = found(alice, query.format(incident.number))
    assert f"/incidents/{incident.pk}/" in hits
    assert "Gateway timed out" in hits[f"/incidents/{incident.pk}/"]


@pytest.mark.parametrize(
    "query", ["INC-999999", "gateway nothing", "%", "_", "' OR 1=1 --", "\x00"]
)
def test_it_finds_none_that_does_not_fit(alice: Client, incident: Incident, query: str) -> None:
    assert f"/incidents/{incident.pk}/" not in found(alice, query)


def test_it_finds_workflows_vendors_people_and_views(cast: Cast, alice: Client) -> None:
    stripe = Vendor.objects.create(tenant=cast.meridian, name="stripe")
    assert f"/workflows/{cast.capture.pk}/" in found(alice, "capture")
    assert f"/safety/#breaker-{stripe.pk}" in found(alice, "strip")
    assert "/incidents/?q=status%3Aopen+owner%3Avera" in found(alice, "vera")
    assert "/incidents/?q=status%3Aopen+owner%3Ame" in found(alice, "mine")
    assert "/settings/notification" in found(alice, "notif")


def test_it_finds_by_id(alice: Client, waiting: Action) -> None:
    """An incident, a recovery and an action by the beginning of their ids; an action has no page
    but its incident's."""
    recovery = a_recovery(waiting.incident)
    for row, page in (
        (waiting, f"/incidents/{waiting.incident_id}/"),
        (waiting.incident, f"/incidents/{waiting.incident_id}/"),
        (recovery, f"/recoveries/{recovery.pk}/"),
    ):
        for text in (str(row.pk), row.pk.hex, str(row.pk)[:22].upper()):
            assert page in found(alice, text), text
    assert found(alice, str(waiting.pk)[:-1] + ("0" if str(waiting.pk)[-1] != "0" else "1")) == {}


def test_it_offers_only_what_the_role_may(cast: Cast) -> None:
    """Seen red without the look at the scopes."""
    offered = {name: set(found(cast.client_as(name), "")) for name in ("vera", "alice", "anna")}
    assert offered["alice"] - offered["vera"] == {"/safety/stop"}
    assert offered["anna"] - offered["alice"] == {"/audit/", "/admin/"}
    for pages in offered.values():
        assert {"/", "/incidents/", "/approvals/", "/settings/", "/logout", "/theme"} <= pages


def test_it_tells_nothing_of_other_tenants(cast: Cast, waiting: Action) -> None:
    """By no word, number or id. Seen red with incidents, vendors, workflows, people and ids of
    all tenants, one after another."""
    Vendor.objects.get_or_create(tenant=cast.meridian, name="stripe")
    recovery = a_recovery(waiting.incident)
    mallory, incident = cast.client_as("mallory"), waiting.incident
    words = [
        "stripe",
        "payments",
        "capture",
        "alice",
        "Timed",
        incident.label,
        str(incident.number),
    ]
    for query in [*words, str(incident.pk), str(waiting.pk), str(recovery.pk)]:
        assert found(cast.client_as("alice"), query), query
        assert found(mallory, query) == {}, query


def test_it_asks_few_questions(
    cast: Cast, alice: Client, incident: Incident, django_assert_max_num_queries: Any
) -> None:
    """Whatever there is."""
    identity_queries = 4
    for query, most in (("", 0), ("gateway", 7), ("1", 7), (str(incident.pk), 3)):
        with django_assert_max_num_queries(identity_queries + most):
            found(alice, query)


def test_it_looks_among_the_newest_alone(
    alice: Client, cast: Cast, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older one is found by its number. Seen red without the bound."""
    for number in range(3):
        an_incident_row(cast.capture, title=f"Newer {number}")
    page = f"/incidents/{incident.pk}/"
    assert page in found(alice, "gateway")
    monkeypatch.setattr(search, "RECENT", 2)
    assert page not in found(alice, "gateway")
    assert page in found(alice, incident.label)


def test_it_is_a_page_without_a_script(alice: Client, cast: Cast, incident: Incident) -> None:
    """Links, no options; what was typed stays in the field, as text."""
    answer = alice.get("/search?q=gateway")
    assert "Gateway timed out" in text_of(answer)
    assert 'role="option"' not in answer.content.decode()
    answer = alice.get(f"/search?q={quote(IMAGE)}")
    assert IMAGE not in answer.content.decode()
    assert f"Nothing is called “{IMAGE}”" in text_of(answer)


def test_it_shows_hostile_titles_as_text(alice: Client, cast: Cast) -> None:
    an_incident_row(cast.capture, title=f"Broken {IMAGE}")
    answer = alice.get("/search?q=broken", headers={"X-Palette": '"><script>'})
    assert b"&lt;img" in answer.content
    assert b"<img" not in answer.content
    assert b"<script" not in answer.content


def test_rows_become_dense_by_a_command(alice: Client) -> None:
    """One preference alone; the others stay."""
    alice.post("/settings/pages", {"theme": "light", "density": "comfortable", "time_zone": "UTC"})
    answer = alice.post("/settings/density", {"density": "compact", "next": "/approvals/"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/approvals/")
    page = alice.get("/").content.decode()
    assert 'data-density="compact"' in page
    assert 'data-theme="light"' in page
