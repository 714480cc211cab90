"""The incident list: filters in the URL, saved views, pages, empty states [U4]."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from incidents.models import Incident
from tests.builders import an_event
from tests.cast import Cast
from tests.pages.looks import links_of, text_of
from tests.pages.rows import an_incident_row


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


def titles(client: Client, query: str = "") -> list[str]:
    return [row.title for row in look(client, query).context["incidents"]]


def look(client: Client, query: str = "") -> Any:
    """The list under its one URL, wherever the way there began."""
    return client.get(f"/incidents/{query}", follow=True)


def test_it_shows_open_incidents_worst_first_then_last_seen(cast: Cast, alice: Client) -> None:
    now = timezone.now()
    for title, severity, minutes in (
        ("old high", "high", 50),
        ("new high", "high", 5),
        ("low", "low", 1),
        ("critical", "critical", 90),
    ):
        an_incident_row(
            cast.capture,
            title=title,
            severity=severity,
            last_seen_at=now - timedelta(minutes=minutes),
        )
    an_incident_row(cast.capture, title="over", resolved_at=now)
    an_incident_row(cast.capture, title="ignored", status="ignored")
    assert titles(alice) == ["critical", "new high", "old high", "low"]


FILTERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("status=resolved", {"resolved_at": timezone.now()}, {}),
    ("status=", {"status": "ignored"}, {"workflow": None}),
    ("severity=high", {"severity": "high"}, {"severity": "low"}),
    ("severity=critical,high", {"severity": "critical"}, {"severity": "low"}),
    ("vendor=stripe", {"vendor": "stripe"}, {"vendor": "paypal"}),
    ("recovery=waiting", {"recovery": "waiting"}, {"recovery": "blocked"}),
    ("q=needle", {"title": "a Needle in hay"}, {"title": "hay"}),
    ("q=INC-77", {"number": 77}, {"number": 78}),
    ("since=1h", {}, {"last_seen_at": timezone.now() - timedelta(hours=3)}),
    (
        "status=resolved&resolved=24h",
        {"resolved_at": timezone.now()},
        {"resolved_at": timezone.now() - timedelta(days=3)},
    ),
]


@pytest.mark.parametrize(("query", "found", "other"), FILTERS, ids=[q for q, _, _ in FILTERS])
def test_it_narrows_the_list_by_the_url(
    cast: Cast, alice: Client, query: str, found: dict[str, Any], other: dict[str, Any]
) -> None:
    wanted = an_incident_row(cast.capture, **found)
    if other != {"workflow": None}:
        an_incident_row(cast.capture, **other)
    assert titles(alice, f"?{query}") == [wanted.title]


def test_it_narrows_by_workflow_and_owner(cast: Cast, alice: Client) -> None:
    mine = an_incident_row(cast.capture, assignee=cast.people["alice"])
    hers = an_incident_row(cast.contacts, assignee=cast.people["anna"])
    free = an_incident_row(cast.contacts)
    assert titles(alice, "?assignee=me") == [mine.title]
    assert titles(alice, "?assignee=anna") == [hers.title]
    assert titles(alice, "?assignee=none") == [free.title]
    assert titles(alice, "?workflow=payments.capture") == [mine.title]


@pytest.mark.parametrize("query", ["cursor=x", "page_size=0", "sort=colour", "q=x&sort="])
def test_it_refuses_a_place_or_an_order_that_is_none(alice: Client, query: str) -> None:
    """Nobody types them, so there is nothing to mend at the bar."""
    response = alice.get(f"/incidents/?{query}", headers={"Accept": "text/html"}, follow=True)
    assert response.status_code == 400
    assert "text/html" in response.headers["Content-Type"]


def test_it_counts_in_each_view_what_the_view_shows(cast: Cast, alice: Client) -> None:
    """Every saved view is a link, marked when it is open, and its count is its list's."""
    now = timezone.now()
    an_incident_row(cast.capture, assignee=cast.people["alice"], severity="critical")
    an_incident_row(cast.capture, recovery="waiting", severity="high")
    an_incident_row(cast.capture, severity="low")
    an_incident_row(cast.capture, snoozed_at=now, severity="high")
    an_incident_row(cast.capture, snoozed_at=now, snoozed_until=now + timedelta(hours=1))
    an_incident_row(cast.capture, resolved_at=now - timedelta(hours=2))
    an_incident_row(cast.capture, resolved_at=now - timedelta(days=9))
    an_incident_row(cast.capture, status="ignored")
    views = alice.get("/incidents/").context["views"]
    assert {view["label"]: view["count"] for view in views} == {
        "Open": 3,
        "Triage": 2,
        "Mine": 1,
        "Critical and high": 2,
        "Needs approval": 1,
        "Snoozed": 2,
        "Resolved in 24 h": 1,
    }
    for view in views:
        response = alice.get(f"/incidents/{view['href']}")
        assert response.status_code == 200, "a link of the page is not its one URL"
        opened = response.context
        assert opened["total"] == view["count"], view
        assert [v["label"] for v in opened["views"] if v["current"]] == [view["label"]]


def test_what_was_snoozed_is_open_again_when_its_time_has_come(cast: Cast, alice: Client) -> None:
    """Also in what the rail counts; nothing ran."""
    now = timezone.now()
    fields = {"snoozed_at": now - timedelta(hours=2)}
    woken = an_incident_row(cast.capture, snoozed_until=now - timedelta(seconds=1), **fields)
    asleep = an_incident_row(cast.capture, snoozed_until=now + timedelta(hours=1), **fields)
    assert titles(alice) == [woken.title]
    assert titles(alice, "?status=snoozed") == [asleep.title]
    assert alice.get("/incidents/").context["shell"].counts["incidents"] == 1


def test_it_says_that_nothing_came_in_yet(alice: Client) -> None:
    assert "No incident yet" in text_of(alice.get("/incidents/"))


def test_it_says_that_filters_hide_all(cast: Cast, alice: Client) -> None:
    an_incident_row(cast.capture)
    response = look(alice, "?severity=critical")
    assert "No incident matches" in text_of(response)
    assert "/incidents/" in links_of(response)


def test_it_says_what_was_resolved_last(cast: Cast, alice: Client) -> None:
    an_incident_row(cast.capture, title="Older", resolved_at=timezone.now() - timedelta(hours=3))
    last = an_incident_row(cast.capture, title="Latest", resolved_at=timezone.now())
    response = alice.get("/incidents/")
    assert "Nothing is open" in text_of(response)
    assert f"/incidents/{last.pk}/" in links_of(response)


def test_it_shows_each_rows_events_of_the_last_hour(
    cast: Cast, alice: Client, incident_of: Callable[..., Incident]
) -> None:
    """Twelve steps of five minutes, oldest first; what is older is not in them."""
    now = timezone.now()
    for minutes in (150, 58, 12, 11, 1):
        incident_of(cast.capture, received_at=now - timedelta(minutes=minutes))
    row = alice.get("/incidents/").context["incidents"][0]
    assert row.event_count == 5
    assert sum(row.trend) == 4
    assert (row.trend[0], row.trend[9], row.trend[11]) == (1, 2, 1)


def test_it_asks_the_database_equally_often_for_more_rows(cast: Cast, alice: Client) -> None:
    """No query per row: as many for 25 incidents as for one, and at most 8 beside the sign-in and
    what the shell counts."""

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert alice.get("/incidents/").status_code == 200
        return len(found)

    an_incident_row(cast.capture, assignee=cast.people["alice"])
    alice.get("/incidents/")
    one = queries()
    for _ in range(24):
        an_incident_row(cast.contacts, assignee=cast.people["anna"], vendor="stripe")
    an_event(cast.contacts)
    assert queries() == one
    sign_in, shell = 3, 6
    assert one - sign_in - shell <= 8
