"""Views that people keep of the incident list: whose they are, and who may change them [U4]."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from awfdrs_site.kernel.models import AuditEntry
from incidents.listing.saved_views import MOST
from incidents.models import SavedView
from tests.cast import Cast
from tests.pages.looks import text_of, told
from tests.pages.rows import an_incident_row

STRIPE = {"name": "Stripe", "q": "status:open vendor:stripe", "sort": "-events"}


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


@pytest.fixture
def vera(cast: Cast) -> Client:
    """A viewer."""
    return cast.client_as("vera")


@pytest.fixture
def anna(cast: Cast) -> Client:
    """An admin."""
    return cast.client_as("anna")


def save(client: Client, **fields: str) -> Any:
    return client.post("/incidents/views", STRIPE | fields)


def saved(client: Client, **fields: str) -> SavedView:
    """The view after saving it."""
    assert save(client, **fields).status_code == 303
    return SavedView.objects.latest("id")


def labels(client: Client) -> list[str]:
    return [view["label"] for view in client.get("/incidents/").context["views"]][7:]


def test_it_keeps_query_and_order_beside_the_other_views(cast: Cast, alice: Client) -> None:
    """With its count, and marked where it is what is shown."""
    an_incident_row(cast.capture, vendor="stripe")
    an_incident_row(cast.capture, vendor="paypal")
    response = save(alice, q="vendor:stripe   Status:open")
    url = "/incidents/?q=status%3Aopen+vendor%3Astripe&sort=-events"
    assert response.headers["Location"] == url
    shown = alice.get(url).context
    tab = shown["views"][-1]
    assert (tab["label"], tab["href"], tab["count"], tab["current"], tab["note"]) == (
        *("Stripe", url.removeprefix("/incidents/"), 1, True),
        "Your view",
    )
    assert shown["saved"] == SavedView.objects.get()
    assert alice.get("/incidents/").context["saved"] is None


def test_the_same_name_replaces_ones_own(alice: Client, anna: Client) -> None:
    """And nobody else's."""
    saved(anna, shared="on")
    saved(alice)
    saved(alice, q="severity:low", sort="number")
    assert labels(alice) == ["Stripe", "Stripe"]
    assert set(SavedView.objects.values_list("owner__username", "text")) == {
        ("anna", "status:open vendor:stripe"),
        ("alice", "severity:low"),
    }


def test_only_a_shared_one_is_seen_by_others(alice: Client, vera: Client, anna: Client) -> None:
    """Not even by an admin. Seen red with the owner left out of `views_for`."""
    view = saved(alice)
    assert labels(alice) == ["Stripe"]
    assert labels(vera) == labels(anna) == []
    for client in (vera, anna):
        for path in ("", "/delete", "/restore"):
            answer = client.post(f"/incidents/views/{view.pk}{path}", {"name": "x"})
            assert answer.status_code == 404
    saved(alice, shared="on")
    assert labels(vera) == labels(anna) == ["Stripe"]
    assert vera.get("/incidents/").context["views"][-1]["note"] == "Shared by alice"


def test_owner_and_admin_change_what_is_shared(cast: Cast, alice: Client, anna: Client) -> None:
    """Others see it and get 403. Seen red with `may_change` left out of the services."""
    view = saved(alice, shared="on")
    for name in ("vera", "olga"):
        for path in ("", "/delete"):
            answer = cast.client_as(name).post(f"/incidents/views/{view.pk}{path}", {"name": "x"})
            assert answer.status_code == 403
    for client, name in ((alice, "First"), (anna, "Second")):
        client.post(f"/incidents/views/{view.pk}", {"name": name, "shared": "on"})
        assert labels(client) == [name]
    alice.post(f"/incidents/views/{view.pk}", {"name": "Mine alone"})
    assert (labels(alice), labels(anna)) == (["Mine alone"], [])


def test_a_viewer_keeps_views_and_shares_none(alice: Client, vera: Client) -> None:
    """Who may only look does not change what others see."""
    view = saved(vera)
    assert save(vera, name="Other", shared="on").status_code == 403
    change = {"name": "Stripe", "shared": "on"}
    assert vera.post(f"/incidents/views/{view.pk}", change).status_code == 403
    assert (labels(vera), labels(alice)) == (["Stripe"], [])


def test_what_is_another_tenants_is_not_there(cast: Cast, anna: Client) -> None:
    """Also for somebody who is in both."""
    view = saved(anna, shared="on")
    mallory = cast.client_as("mallory")
    session = anna.session
    session["tenant_id"] = str(cast.northwind.pk)
    session.save()
    for client in (mallory, anna):
        assert labels(client) == []
        for path in ("", "/delete", "/restore"):
            answer = client.post(f"/incidents/views/{view.pk}{path}", {"name": "x"})
            assert answer.status_code == 404
    assert SavedView.objects.get().name == "Stripe"


def test_a_deleted_one_can_be_taken_back_for_a_day(alice: Client, anna: Client) -> None:
    """The next page says so and offers it, once; nobody sees it meanwhile."""
    with time_machine.travel(timezone.now(), tick=False) as clock:
        view = saved(alice, shared="on")
        alice.post(f"/incidents/views/{view.pk}/delete")
        assert labels(anna) == []
        page = alice.get("/incidents/")
        assert "The view Stripe is deleted. Undo" in text_of(page)
        assert "deleted" not in text_of(alice.get("/incidents/"))
        assert alice.post(f"/incidents/views/{view.pk}").status_code == 404
        assert alice.post(f"/incidents/views/{view.pk}/restore").status_code == 303
        assert labels(alice) == labels(anna) == ["Stripe"]
        alice.post(f"/incidents/views/{view.pk}/delete")
        clock.shift(timedelta(hours=25))
        alice = alice_again(alice)
        assert alice.post(f"/incidents/views/{view.pk}/restore").status_code == 404
        other = saved(alice, name="Other")
        alice.post(f"/incidents/views/{other.pk}/delete")
        assert list(SavedView.objects.all()) == [other]


def alice_again(client: Client) -> Client:
    """Signed in anew, for the session may have ended meanwhile."""
    user = SavedView.objects.latest("id").owner
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": " "}, "A name of 1 to 60 characters"),
        ({"name": "x" * 61}, "A name of 1 to 60 characters"),
        ({"name": "a\nb"}, "A name of 1 to 60 characters"),
        ({"q": "severity:hihg"}, "is no severity"),
        ({"q": "x" * 501}, "At most 500 characters"),
        ({"sort": "colour"}, "No such order"),
    ],
)
def test_it_says_what_is_wrong_and_saves_nothing(
    alice: Client, fields: dict[str, str], why: str
) -> None:
    [(level, text)] = told(save(alice, **fields))
    assert level == "error"
    assert why in text
    assert not SavedView.objects.exists()


def test_a_name_is_taken_once(alice: Client) -> None:
    """By renaming and by taking back too."""
    first, second = saved(alice), saved(alice, name="Other")
    answer = alice.post(f"/incidents/views/{second.pk}", {"name": "Stripe"})
    assert "There is a view Stripe already" in told(answer)[-1][1]
    alice.post(f"/incidents/views/{first.pk}/delete")
    saved(alice)
    answer = alice.post(f"/incidents/views/{first.pk}/restore")
    assert "There is a view Stripe already" in told(answer)[-1][1]
    assert labels(alice) == ["Other", "Stripe"]


def test_a_person_keeps_so_many(cast: Cast, alice: Client) -> None:
    """One more is refused, replacing one is not; the page asks as often as without any."""
    alice.get("/incidents/")
    with CaptureQueriesContext(connection) as before:
        alice.get("/incidents/")
    for number in range(MOST):
        saved(alice, name=f"View {number}")
    assert f"You keep {MOST} views already" in told(save(alice))[-1][1]
    saved(alice, name="View 3", q="severity:low")
    with CaptureQueriesContext(connection) as after:
        alice.get("/incidents/")
    assert len(after) == len(before)


def test_every_change_is_in_the_audit_log(alice: Client, anna: Client) -> None:
    view = saved(alice, shared="on")
    anna.post(f"/incidents/views/{view.pk}", {"name": "New", "shared": "on"})
    anna.post(f"/incidents/views/{view.pk}/delete")
    anna.post(f"/incidents/views/{view.pk}/restore")
    entries = AuditEntry.objects.filter(subject_id=str(view.pk)).order_by("id")
    assert list(entries.values_list("actor", "verb")) == [
        ("alice", "saved"),
        ("anna", "changed"),
        ("anna", "deleted"),
        ("anna", "restored"),
    ]
    assert entries[1].before == {"name": "Stripe", "shared": True}


def test_an_unknown_one_is_not_there(alice: Client) -> None:
    for path in ("", "/delete", "/restore"):
        assert alice.post(f"/incidents/views/{uuid4()}{path}", {"name": "x"}).status_code == 404
