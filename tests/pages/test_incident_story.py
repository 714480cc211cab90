"""The timeline and the events of an incident, by tab and page after page [I6]."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from django.utils import timezone

from awfdrs_site.kernel.actor import MACHINE
from incidents import announce
from incidents.models import Incident, TimelineKind
from ingestion.models import Event
from tests.builders import an_event
from tests.cast import Cast
from tests.pages.looks import Answer, links_of
from tests.pages.rows import an_incident_row


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


@pytest.fixture
def incident(cast: Cast) -> Incident:
    """One with a long story."""
    incident, now = an_incident_row(cast.capture), timezone.now()
    for number in range(60):
        announce.note(incident, TimelineKind.COMMENT, f"{number}", actor=MACHINE, now=now)
        announce.note(incident, TimelineKind.EVENTS, f"+{number}", actor=MACHINE, now=now)
    announce.note(incident, TimelineKind.GATE, "may run", actor=MACHINE, now=now)
    return incident


def pages(client: Client, url: str, name: str) -> Iterator[Answer]:
    """Every page from `url` on, by its link to the older one."""
    at = url
    while at:
        answer = client.get(at)
        assert answer.status_code == 200
        yield answer
        context = answer.context[name] if name else answer.context
        at = context["older_url"] and url.partition("?")[0] + context["older_url"]


@pytest.mark.parametrize(
    ("tab", "count"), [("", 121), ("?story=comments", 60), ("?story=decisions", 1)]
)
def test_every_entry_of_a_tab_can_be_reached_once(
    alice: Client, incident: Incident, tab: str, count: int
) -> None:
    told = list(pages(alice, f"/incidents/{incident.pk}/{tab}", "story"))
    entries = [entry for answer in told for entry in answer.context["story"]["timeline"]]
    assert [entry.pk for entry in entries] == sorted({e.pk for e in entries}, reverse=True)
    assert len(entries) == count
    tabs = told[-1].context["story"]["tabs"]
    assert [one["count"] for one in tabs if one["current"]] == [count]


def test_new_entries_are_pushed_on_top_of_the_newest_page_alone(
    alice: Client, incident: Incident
) -> None:
    """What is pushed is not of the tab, and not where an older page begins."""
    first, *rest = pages(alice, f"/incidents/{incident.pk}/", "story")
    tab = alice.get(f"/incidents/{incident.pk}/?story=comments")
    feeds = [b'data-live-feed="' in answer.content for answer in (first, *rest, tab)]
    assert feeds == [True, *[False] * len(rest), False]


def test_a_tab_that_is_none_is_refused(alice: Client, incident: Incident) -> None:
    assert alice.get(f"/incidents/{incident.pk}/?story=x").status_code == 400


def test_all_its_events_can_be_read(
    cast: Cast, alice: Client, incident_of: Callable[..., Incident]
) -> None:
    """The incident's page shows the newest and leads to all of them."""
    for _ in range(60):
        an_event(cast.capture)
    incident = incident_of(cast.capture)
    url = f"/incidents/{incident.pk}/events"
    assert url in links_of(alice.get(f"/incidents/{incident.pk}/failures"))
    shown = [event.pk for answer in pages(alice, url, "") for event in answer.context["events"]]
    assert shown == list(Event.objects.order_by("-pk").values_list("pk", flat=True))
    assert incident.event_count == len(shown) == 61
