"""Merging incidents by their pages, and splitting them off again [I6]."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from awfdrs_site.kernel import work
from incidents.detecting.detection import detect
from incidents.models import Incident, IncidentEvent
from tests.builders import an_event
from tests.cast import Cast
from tests.pages.looks import links_of, post_forms, text_of, told


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


def fails(workflow: Any, code: str) -> Incident:
    event = an_event(workflow, error_code=code, resource_type="order", resource_id=code)
    work.run_due("detect", detect)
    return IncidentEvent.objects.get(event=event).incident


@pytest.fixture
def two(cast: Cast) -> list[Incident]:
    return [fails(cast.capture, "gateway_late"), fails(cast.capture, "gateway_gone")]


def merge(client: Client, *rows: Incident, into: Incident | None = None) -> Any:
    fields = {"id": [row.pk for row in rows], "comment": "One gateway."}
    return client.post("/incidents/merge", fields | ({"into": into.pk} if into else {}))


def test_the_bulk_bar_leads_to_the_question(alice: Client, two: list[Incident]) -> None:
    """Also in a boosted form, where the whole page must move."""
    fields = {"id": [row.pk for row in two], "do": "merge", "expected": 2}
    url = alice.post("/incidents/bulk", fields).headers["Location"]
    boosted = alice.post("/incidents/bulk", fields, headers={"HX-Request": "true"})
    assert boosted.headers["HX-Redirect"] == url
    page = alice.get(url)
    assert [row.label for row in page.context["chosen"]] == [row.label for row in two]
    assert "Which incident stays?" in text_of(page)
    assert Incident.objects.count() == 2


def test_the_incidents_page_leads_to_it_with_what_else_is_open(
    cast: Cast, alice: Client, two: list[Incident]
) -> None:
    elsewhere = fails(cast.contacts, "gateway_late")
    late, gone = two
    [url] = [u for u in links_of(alice.get(f"/incidents/{late.pk}/")) if "/merge" in u]
    context = alice.get(url).context
    assert (context["chosen"], context["others"]) == ([late], [gone])
    assert elsewhere not in context["others"]


def test_it_merges_and_splits_off_again(alice: Client, two: list[Incident]) -> None:
    late, gone = two
    answer = merge(alice, *two, into=late)
    assert answer.headers["Location"] == f"/incidents/{late.pk}/"
    assert told(answer) == [("success", f"1 merged into {late.label}")]
    told_of = text_of(alice.get(f"/incidents/{late.pk}/"))
    assert f"merged {gone.label} into it One gateway." in told_of
    around = text_of(alice.get(f"/incidents/{late.pk}/around"))
    assert f"Merged into it {gone.label}" in around
    answer = alice.post(f"/incidents/{late.pk}/unmerge", {"id": gone.pk})
    assert told(answer) == [("success", f"Split off from {late.label} again")]
    assert Incident.objects.count() == 2


def test_the_page_of_a_merged_one_leads_to_the_survivor(alice: Client, two: list[Incident]) -> None:
    """By a link and by a form of an old page."""
    late, gone = two
    merge(alice, *two, into=late)
    for answer in (
        alice.get(f"/incidents/{gone.pk}/"),
        alice.post(f"/incidents/{gone.pk}/resolve", {"comment": "Done."}),
        alice.get(f"/incidents/merge?id={gone.pk}"),
    ):
        assert answer.status_code in (302, 303)
        assert answer.headers["Location"] == f"/incidents/{late.pk}/"
        assert ("info", f"{gone.label} was merged into {late.label}.") in told(answer)
    assert Incident.everything.get(pk=gone.pk).status == "new"


def test_what_cannot_be_merged_is_told_where_it_was_asked(
    cast: Cast, alice: Client, two: list[Incident]
) -> None:
    late, gone = two
    elsewhere = fails(cast.contacts, "gateway_late")
    for rows, into, words in (
        ([late, elsewhere], late, "a recovery asks one workflow's engine"),
        ([late], late, "Select between 2"),
        ([late, gone], None, "Say which of them stays"),
    ):
        answer = merge(alice, *rows, into=into)
        assert answer.headers["Location"].startswith("/incidents/merge?id=")
        level, text = told(answer)[-1]
        assert level == "error"
        assert words in text
    assert Incident.objects.count() == 3


def test_a_viewer_neither_sees_nor_does_it(cast: Cast, two: list[Incident]) -> None:
    vera = cast.client_as("vera")
    late, gone = two
    merge(cast.client_as("alice"), late, gone, into=late)
    for path in ("", "around"):
        assert post_forms(vera.get(f"/incidents/{late.pk}/{path}")) == []
    assert vera.get(f"/incidents/merge?id={late.pk}").status_code == 403
    assert merge(vera, late, gone, into=late).status_code == 403


def test_another_tenants_incident_is_not_there(cast: Cast, two: list[Incident]) -> None:
    mallory = cast.client_as("mallory")
    own = fails(cast.routing, "gateway_late")
    assert mallory.get(f"/incidents/merge?id={two[0].pk}").status_code == 404
    assert merge(mallory, own, two[0], into=own).status_code == 404
    assert merge(mallory, own, two[0], into=two[0]).status_code == 404


def test_it_shows_what_failed_with_it(cast: Cast, alice: Client) -> None:
    """The picture says it in words too, and the words lead there; alone it is one quiet line."""
    began = timezone.now() - timedelta(minutes=5)
    one = an_event(cast.capture, vendor="stripe", correlation_id="order-7", received_at=began)
    work.run_due("detect", detect)
    first = IncidentEvent.objects.get(event=one).incident
    assert "Nothing else failed with it." in text_of(alice.get(f"/incidents/{first.pk}/around"))
    later = began + timedelta(seconds=30)
    an_event(cast.contacts, vendor="hubspot", correlation_id="order-7", received_at=later)
    work.run_due("detect", detect)
    page = alice.get(f"/incidents/{first.pk}/around")
    words = "crm.contact-sync began to fail 30 s after payments.capture; both ran as order-7"
    assert words in text_of(page)
    assert f'role="img" aria-label="{words}."' in page.content.decode()
    other = Incident.objects.exclude(pk=first.pk).get()
    assert f"/incidents/{other.pk}/" in links_of(page)
    api = cast.api("meridian-read").get(f"/api/v1/incidents/{first.pk}/related").json()
    [found] = api["related"]
    assert (found["kind"], found["reason"], found["gap_seconds"]) == ("cascade", words, 30.0)
    assert (found["cause"], found["effect"]) == (str(first.pk), str(other.pk))
    assert found["incident"]["label"] == other.label


def test_it_tells_why_failures_are_grouped(cast: Cast, alice: Client) -> None:
    """Of a message's shape: the masks, and what stood there."""
    an_event(cast.capture, error_code="", message="Order 4711 of bob@example.org timed out")
    work.run_due("detect", detect)
    text = text_of(alice.get(f"/incidents/{Incident.objects.get().pk}/around"))
    assert "Why grouped template Split Their messages are the same" in text
    assert "Taken out <num> was 4711 , <email> was bob@example.org" in text.replace(
        "4711,", "4711 ,"
    )
    assert "Order <num> of <email> timed out" in text
