"""Naming members in comments: kept, marked, told to them alone, seen once they look [I6]."""

from __future__ import annotations

import pytest
from django.test import Client

from incidents.models import Incident, Mention, TimelineEntry
from tests.cast import Cast
from tests.pages.looks import text_of
from tests.pages.rows import an_incident_row


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


@pytest.fixture
def row(cast: Cast) -> Incident:
    return an_incident_row(cast.capture)


def say(client: Client, row: Incident, text: str) -> TimelineEntry:
    answer = client.post(f"/incidents/{row.pk}/comment", {"comment": text})
    assert answer.status_code == 303
    return TimelineEntry.objects.get(incident=row, text=text)


def named() -> list[tuple[str, bool]]:
    rows = Mention.objects.order_by("pk").values_list("user__username", "seen_at")
    return [(name, seen is not None) for name, seen in rows]


def count(client: Client) -> int:
    """The count on the person's own menu."""
    return int(client.get("/").context["shell"].mentions)


def test_it_keeps_members_and_leaves_other_names_as_words(
    cast: Cast, alice: Client, row: Incident
) -> None:
    """Mallory is of another tenant, nobody is nobody; who names herself has seen it.

    Seen red with all users for names instead of `members_of`: Mallory was kept and told.
    """
    entry = say(alice, row, "@Anna, @mallory, @nobody and @alice: @noah left")
    assert named() == [("anna", False), ("alice", True)]
    assert entry.data == {"mentions": ["anna", "alice"]}
    html = alice.get(f"/incidents/{row.pk}/").content.decode()
    assert '<b class="mention">@Anna</b>, @mallory, @nobody and' in html


def test_a_former_member_is_a_word(cast: Cast, alice: Client, row: Incident) -> None:
    cast.people["anna"].memberships.all().delete()
    cast.people["vera"].is_active = False
    cast.people["vera"].save()
    assert say(alice, row, "@anna @vera").data == {"mentions": []}
    assert named() == []


def test_markup_in_a_comment_stays_text(cast: Cast, alice: Client, row: Incident) -> None:
    """Beside a name, and in what looks like one. Seen red with `|safe` in the templates' loops."""
    say(alice, row, '<script>alert(1)</script>@anna<img src=x onerror="alert(2)">@<b>vera')
    for page in (f"/incidents/{row.pk}/", "/mentions/"):
        html = cast.client_as("anna").get(page).content.decode()
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert '&lt;/script&gt;<b class="mention">@anna</b>&lt;img' in html


def test_it_is_seen_when_the_incident_was_opened(cast: Cast, alice: Client, row: Incident) -> None:
    """Not by a page that is only left open, nor by somebody else's look, nor by another incident.

    Seen red without the header's look in `actions.views.incident`: the open page had seen it.
    """
    anna, other = cast.client_as("anna"), an_incident_row(cast.capture)
    say(alice, row, "@anna first")
    say(alice, row, "@anna second")
    say(alice, other, "@anna third")
    assert count(anna) == 3
    anna.get(f"/incidents/{row.pk}/", headers={"X-Live-Refetch": "1"})
    alice.get(f"/incidents/{row.pk}/")
    assert count(anna) == 3
    assert count(alice) == 0
    anna.get(f"/incidents/{row.pk}/")
    assert count(anna) == 1
    text = text_of(anna.get("/mentions/"))
    assert text.count("New") == 1
    assert text.index("@anna third") < text.index("@anna second") < text.index("@anna first")


def test_it_shows_a_person_their_own_of_this_tenant_alone(
    cast: Cast, alice: Client, row: Incident
) -> None:
    """Anna is of both tenants. Seen red without the tenant in `mentions_for`."""
    foreign = an_incident_row(cast.routing)
    say(cast.client_as("mallory"), foreign, "@anna look at Northwind")
    say(alice, row, "@anna look at Meridian")
    anna = cast.client_as("anna")
    text = text_of(anna.get("/mentions/"))
    assert "look at Meridian" in text
    assert "Northwind" not in text
    assert count(anna) == 1
    for name in ("vera", "mallory"):
        assert "Nobody has named you yet" in text_of(cast.client_as(name).get("/mentions/"))


def test_the_api_answers_whom_it_named(cast: Cast, row: Incident) -> None:
    """The incident, and user names; the timeline says so too."""
    api, url = cast.api(), f"/api/v1/incidents/{row.pk}"
    body = {"text": "@anna @ghost, look"}
    document = api.post(f"{url}/comment", body, content_type="application/json").json()
    assert (document["id"], document["mentions"]) == (str(row.pk), ["anna"])
    assert api.get(f"{url}/timeline").json()["results"][0]["data"] == {"mentions": ["anna"]}
    assert named() == [("anna", False)]
