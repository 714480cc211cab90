"""The page and the API of what was learnt, and the form that sets a rung [D5]."""

from __future__ import annotations

import pytest
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from actions.learning.pages import learning_page
from ai.models import TrustSetting
from ai.services import remember
from incidents.models import Incident
from tests.cast import Cast
from tests.pages.looks import text_of
from tests.pages.rows import an_incident_row


@pytest.fixture
def incident(cast: Cast) -> Incident:
    """It was retried three times: it worked twice and once it came back."""
    found = an_incident_row(cast.capture, title="Gateway timed out")
    for result in ("recurred", "succeeded", "succeeded"):
        remember(found, "retry", result, timezone.now(), seconds_to_recover=42.0)
    return found


def test_it_shows_record_bounds_and_rung(cast: Cast, incident: Incident) -> None:
    text = text_of(cast.client_as("vera").get("/learning/"))
    for words in ("Retry: Gateway timed out", "2 of 3", "0.25 to 0.92", "1 came back", "42 s"):
        assert words in text, text
    assert "Approve 2 of 5 to automatic" in text
    assert "No case was held back." in text
    assert "Set a rung" not in text


def test_it_says_what_heals_alone(cast: Cast, incident: Incident) -> None:
    for result in ("succeeded", "failed"):
        remember(incident, "wait", result, timezone.now())
    text = text_of(cast.client_as("vera").get("/learning/"))
    assert "1 of 2 healed alone" in text
    assert "2 of 3 worked" in text


def test_it_searches_and_says_when_there_is_nothing(cast: Cast, incident: Incident) -> None:
    client = cast.client_as("vera")
    assert "Gateway" in text_of(client.get("/learning/?q=gateway"))
    assert "Nothing matches" in text_of(client.get("/learning/?q=printer"))
    other = cast.client_as("mallory")
    assert "Nothing learnt yet" in text_of(other.get("/learning/"))


def test_an_admin_sets_a_rung_and_nobody_else(cast: Cast, incident: Incident) -> None:
    """Seen red with the view asking for `act`: a responder set it."""
    form = {"of": f"{incident.signature} retry", "rung": "observe", "reason": "Audit week."}
    assert cast.client_as("alice").post("/learning/trust", form).status_code == 403
    assert not TrustSetting.objects.exists()
    anna = cast.client_as("anna")
    session = anna.session
    session["tenant"] = str(cast.meridian.pk)
    session.save()
    anna.post("/learning/trust", form)
    assert TrustSetting.objects.get().rung == "observe"
    assert "Observe 0 of 5 to suggest" in text_of(anna.get("/learning/"))


def test_another_tenants_admin_sets_nothing(cast: Cast, incident: Incident) -> None:
    form = {"of": f"{incident.signature} retry", "rung": "observe", "reason": "Mine."}
    assert cast.client_as("mallory").post("/learning/trust", form).status_code == 404
    assert not TrustSetting.objects.exists()


def test_the_api_gives_the_same_facts_of_the_tenant_alone(cast: Cast, incident: Incident) -> None:
    found = cast.api().get("/api/v1/learning").json()
    [row] = found["actions"]
    assert (row["worked"], row["runs"], row["came_back"]) == (2, 3, 1)
    assert (row["rung"], row["to_next"]) == ("approve", "2 of 5 to automatic")
    assert found["retried"]["runs"] == 3
    assert cast.api("northwind-all").get("/api/v1/learning").json()["actions"] == []


def test_it_asks_eight_queries_at_most(
    cast: Cast, incident: Incident, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """However many actions there are."""
    for _ in range(5):
        remember(an_incident_row(cast.contacts), "plan:mend", "failed", timezone.now())
    with django_assert_num_queries(7):
        page = learning_page(cast.meridian, "", timezone.now(), may_set=True)
    assert len(page["rows"]) == 6
