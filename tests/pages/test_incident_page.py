"""The page of one incident, and what people do on it [I6 S9 D1]."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from actions.incident_parts import PARTS
from actions.models import Action
from ai.models import Decision
from ai.services import remember
from incidents.models import Incident
from tenants.models import Preferences
from tests.builders import an_event
from tests.cast import Cast
from tests.pages.looks import Answer, links_of, post_forms, text_of, told
from tests.pages.rows import an_incident_row

XSS = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'--></title>"


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


def page(client: Client, incident: Any) -> Answer:
    response = client.get(f"/incidents/{getattr(incident, 'pk', incident)}/")
    assert response.status_code == 200
    return response


def part(client: Client, incident: Any, name: str) -> Answer:
    """What comes after the page: failures, precedents or around."""
    response = client.get(f"/incidents/{getattr(incident, 'pk', incident)}/{name}")
    assert response.status_code == 200
    return response


def act(client: Client, incident: Incident, verb: str, **fields: str) -> Answer:
    """Post a form of the incident's page; it always answers by a 303 to a page."""
    response = client.post(f"/incidents/{incident.pk}/{verb}", fields)
    assert response.status_code == 303
    incident.refresh_from_db()
    return response


def test_it_shows_the_whole_picture(cast: Cast, alice: Client, waiting: Action) -> None:
    """What happened, what it means, what will be done, and why it waits."""
    text = text_of(page(alice, waiting.incident_id))
    for words in (
        "Timed out",
        "payments.capture",
        "stripe",
        "Still failing 1 of 1",
        "Retry the failed runs",
        "is under the line of 1.00",
        "Likely causes",
        "Opened by payment_timeout",
        "auto line 1.00",
    ):
        assert words in text, words
    links = links_of(page(alice, waiting.incident_id))
    assert "/approvals/" in " ".join(links)
    for name, words in {
        "failures": "work.failed",
        "precedents": "No recovery of it has ended yet",
        "around": "Nothing else failed with it",
    }.items():
        assert f"/incidents/{waiting.incident_id}/{name}" in links
        assert words in text_of(part(alice, waiting.incident_id, name))


@pytest.mark.parametrize("name", PARTS)
def test_a_part_comes_with_and_without_the_shell(alice: Client, waiting: Action, name: str) -> None:
    """A page of its own without scripts; only its panels for the page that takes them."""
    url = f"/incidents/{waiting.incident_id}/{name}"
    assert b'id="nav"' in alice.get(url).content
    bare = alice.get(url, headers={"X-Live-Part": "1"}).content
    assert b'id="nav"' not in bare
    assert re.findall(rb'<section class="panel[^"]*" id="([^"]*)', bare)


def test_the_page_does_not_ask_for_its_parts(alice: Client, waiting: Action) -> None:
    """Each panel stands there with a link until it comes."""
    response = page(alice, waiting.incident_id)
    assert response.content.count(b"data-live-later") == 5
    assert not {"curve", "events", "runs", "similar", "related", "grouping"} & {
        name for layer in response.context for names in layer.dicts for name in names
    }


def test_it_shows_an_incident_before_any_decision(
    cast: Cast, alice: Client, incident_of: Callable[..., Incident]
) -> None:
    text = text_of(page(alice, incident_of(cast.capture)))
    assert "Looking at the events and at past incidents" in text
    assert "0 no retry yet" in text


def test_it_shows_similar_incidents_as_the_decision_weighed_them(
    cast: Cast, alice: Client, waiting: Action
) -> None:
    """From the stored decision; an incident of another tenant among them is left out."""
    other = an_incident_row(cast.contacts, title="Like it", resolved_at=timezone.now())
    foreign = an_incident_row(cast.routing, title="Not yours", resolved_at=timezone.now())
    weighed = [
        {"incident_id": str(row.pk), "number": row.number, "score": 0.87, "outcome": "recovered",
         "action_kind": "retry", "seconds_to_recover": 72.0, "same_signature": False}
        for row in (other, foreign)
    ]  # fmt: skip
    old = waiting.decision
    assert old is not None
    fields = {f.attname: getattr(old, f.attname) for f in Decision._meta.fields}
    Decision.objects.create(**fields | {"id": Decision().pk, "similar": weighed})
    text = text_of(part(alice, waiting.incident_id, "precedents"))
    assert f"{other.label} 0.87 Recovered 1 m 12 s" in text
    assert foreign.label not in text


def test_it_shows_how_earlier_retries_went(cast: Cast, alice: Client, waiting: Action) -> None:
    """How each recovery ended; neither its single attempts nor what a person refused."""
    incident, now = waiting.incident, timezone.now()
    remember(incident, "retry", "failed", now, ends_recovery=False)
    remember(incident, "retry", "succeeded", now, seconds_to_recover=30.0)
    remember(incident, "retry", "failed", now)
    remember(incident, "retry", "rejected", now)
    response = part(alice, waiting.incident_id, "precedents")
    assert response.context["runs"].outcomes == [True, False]
    assert "1 of 2 succeeded, median 30 s" in text_of(response)


def test_it_draws_the_failures_over_time(
    cast: Cast, alice: Client, incident_of: Callable[..., Incident]
) -> None:
    now = timezone.now()
    for minutes in (40, 20, 20, 20, 1):
        incident = incident_of(cast.capture, received_at=now - timedelta(minutes=minutes))
    trend = part(alice, incident, "failures").context["trend"]
    assert sum(trend["values"]) == 5
    assert max(trend["values"]) == 3
    assert trend["from"] == now - timedelta(minutes=40)


def test_it_offers_what_the_state_allows(cast: Cast, alice: Client) -> None:
    """The buttons come from the same table as the refusals."""
    incident = an_incident_row(cast.capture)
    verbs = {
        "new": {"acknowledge", "assign", "comment", "escalate", "ignore", "resolve", "snooze"},
        "resolved": {"assign", "comment", "reopen"},
        "ignored": {"assign", "comment", "reopen", "resolve"},
    }
    for status, allowed in verbs.items():
        Incident.objects.update(status=status, resolved_at=timezone.now())
        response = page(alice, incident)
        forms = [form.action for form in post_forms(response)]
        assert {action.rsplit("/", 1)[1] for action in forms} == allowed, status


def test_it_acknowledges_and_assigns(cast: Cast, alice: Client) -> None:
    incident = an_incident_row(cast.capture)
    response = act(alice, incident, "acknowledge")
    assert response.headers["Location"] == f"/incidents/{incident.pk}/"
    assert incident.acknowledged_by == cast.people["alice"]
    act(alice, incident, "assign", assignee=str(cast.people["anna"].pk))
    assert incident.assignee == cast.people["anna"]
    act(alice, incident, "assign", assignee="")
    assert incident.assignee is None


@pytest.mark.parametrize("assignee", ["mallory", "999999", "x", "²", "-1", "9" * 30])
def test_it_assigns_to_members_only(cast: Cast, alice: Client, assignee: str) -> None:
    incident = an_incident_row(cast.capture)
    person = cast.people.get(assignee)
    response = act(alice, incident, "assign", assignee=str(person.pk) if person else assignee)
    assert told(response) == [("error", "Not assigned: Not a member of this tenant.")]
    assert incident.assignee is None


def test_it_keeps_comments(cast: Cast, alice: Client) -> None:
    incident = an_incident_row(cast.capture)
    act(alice, incident, "comment", comment="  Stripe is  on it ")
    assert "alice commented Stripe is on it" in text_of(page(alice, incident))


@pytest.mark.parametrize("comment", ["", "   ", "x" * 2001, "nul \x00"])
def test_it_says_why_a_comment_was_not_kept(cast: Cast, alice: Client, comment: str) -> None:
    incident = an_incident_row(cast.capture)
    response = act(alice, incident, "comment", comment=comment)
    assert [level for level, _ in told(response)] == ["error"]
    assert not incident.timeline.exists()


def test_it_snoozes_and_wakes(cast: Cast, alice: Client) -> None:
    """By the reader's clock; a zone that is none counts as UTC. It says so until it is woken."""
    incident = an_incident_row(cast.capture)
    for zone in ("Europe/Berlin", "../../etc/passwd", "x" * 61):
        act(alice, incident, "snooze", **{"for": "tomorrow", "zone": zone})
    act(alice, incident, "snooze", **{"for": "recovery", "comment": "The bank knows"})
    assert (incident.is_snoozed(timezone.now()), incident.snoozed_until) == (True, None)
    response = page(alice, incident)
    assert "Snoozed until it recovers by alice" in text_of(response)
    assert "The bank knows" in text_of(response)
    assert {"wake"} == {"wake", "snooze"} & response.context["allowed"]
    act(alice, incident, "wake")
    assert incident.snoozed_at is None
    assert told(act(alice, incident, "snooze", **{"for": "ever"}))[-1] == (
        "error", "Say how long; nothing was changed.",
    )  # fmt: skip


def test_tomorrow_is_by_the_zone_of_the_settings(cast: Cast, alice: Client) -> None:
    """Whatever the browser says; Kathmandu's nine is 3:15 UTC."""
    Preferences.objects.create(user=cast.people["alice"], time_zone="Asia/Kathmandu")
    incident = an_incident_row(cast.capture)
    act(alice, incident, "snooze", **{"for": "tomorrow", "zone": "Europe/Berlin"})
    assert incident.snoozed_until is not None
    assert f"{incident.snoozed_until:%H:%M}" == "03:15"


def test_it_ignores_with_a_reason_only(cast: Cast, alice: Client) -> None:
    incident = an_incident_row(cast.capture)
    response = act(alice, incident, "ignore", comment=" ")
    assert told(response) == [("error", "Say why, nothing was changed.")]
    assert incident.status == "new"
    act(alice, incident, "ignore", comment="A sandbox")
    assert incident.status == "ignored"


def test_it_resolves_and_reopens(cast: Cast, alice: Client) -> None:
    incident = an_incident_row(cast.capture)
    response = act(alice, incident, "resolve", comment="Fixed by hand")
    assert told(response) == [("success", f"{incident.label} is resolved")]
    assert incident.status == "resolved"
    act(alice, incident, "reopen")
    assert (incident.status, incident.reopen_count) == ("new", 1)


def test_resolving_says_what_still_fails_and_asks_why(
    cast: Cast, alice: Client, incident_of: Callable[..., Incident]
) -> None:
    """The server asks too. Seen red without `services._want_a_reason`: it was resolved."""
    for number in range(7):
        incident = incident_of(cast.capture, resource_type="order", resource_id=str(number))
    response = page(alice, incident)
    words = text_of(response)
    assert all(f"order {number} since" in words for number in range(5))
    assert "and 2 more" in words
    assert 'id="dialog-resolve-comment" name="comment" rows="2" maxlength="300" required' in (
        response.content.decode()
    )
    [(level, text)] = told(act(alice, incident, "resolve", comment=" "))
    assert (level, incident.status) == ("error", "new")
    assert text.startswith("7 things still fail: say why")
    act(alice, incident, "resolve", comment="Refunded by hand")
    assert incident.status == "resolved"
    assert "Refunded by hand" in text_of(page(alice, incident))


def test_resolving_what_has_recovered_needs_no_reason(
    cast: Cast, alice: Client, incident_of: Callable[..., Incident]
) -> None:
    incident = incident_of(cast.capture)
    act(alice, incident, "ignore", comment="A sandbox")
    incident.resources.update(recovered_at=timezone.now())
    assert "Nothing in it still fails." in text_of(page(alice, incident))
    act(alice, incident, "resolve")
    assert incident.status == "resolved"


def test_it_tells_what_can_no_longer_be_done(cast: Cast, alice: Client) -> None:
    """A form from a page that is out of date changes nothing and says so."""
    incident = an_incident_row(cast.capture)
    act(cast.client_as("anna"), incident, "resolve")
    response = act(alice, incident, "ignore", comment="x")
    assert told(response) == [("error", "This incident is resolved and cannot become ignored.")]


def test_it_escalates_once(cast: Cast, alice: Client) -> None:
    incident = an_incident_row(cast.capture)
    act(alice, incident, "escalate", comment="Call the bank")
    assert [action.kind for action in incident.actions.all()] == ["escalate"]
    assert "escalate" not in page(alice, incident).context["allowed"]
    assert told(act(alice, incident, "escalate")) == [("error", "It was escalated already.")]


def test_it_shows_what_was_told_on_the_next_page(cast: Cast, alice: Client) -> None:
    """Without a script too: post, follow, read."""
    incident = an_incident_row(cast.capture)
    response = alice.post(f"/incidents/{incident.pk}/acknowledge", follow=True)
    assert response.redirect_chain == [(f"/incidents/{incident.pk}/", 303)]
    assert f"{incident.label} is acknowledged" in response.content.decode()


def test_it_answers_htmx_with_the_same_redirect(cast: Cast, alice: Client) -> None:
    incident = an_incident_row(cast.capture)
    headers = {"HX-Request": "true", "HX-Boosted": "true"}
    response = alice.post(f"/incidents/{incident.pk}/acknowledge", headers=headers)
    assert response.status_code == 303


@pytest.mark.parametrize(
    ("wanted", "to"),
    [
        ("/incidents/?severity=high", "/incidents/?severity=high"),
        ("https://evil.example/", None),
        ("//evil.example/", None),
        ("/\\evil.example", None),
        ("javascript:alert(1)", None),
    ],
)
def test_it_goes_back_to_places_of_this_site_only(
    cast: Cast, alice: Client, wanted: str, to: str | None
) -> None:
    """Seen red without the check of the host."""
    incident = an_incident_row(cast.capture)
    response = act(alice, incident, "acknowledge", next=wanted)
    assert response.headers["Location"] == (to or f"/incidents/{incident.pk}/")


def test_it_lets_the_plan_be_cancelled_and_run_again(
    cast: Cast, alice: Client, waiting: Action
) -> None:
    """Only what the action's own table allows is offered."""
    forms = {form.action for form in post_forms(page(alice, waiting.incident_id))}
    assert f"/actions/{waiting.pk}/cancel" in forms
    assert f"/actions/{waiting.pk}/run" not in forms
    Action.objects.update(status="blocked", expires_at=None)
    forms = {form.action for form in post_forms(page(alice, waiting.incident_id))}
    assert f"/actions/{waiting.pk}/run" in forms
    response = alice.post(f"/actions/{waiting.pk}/run")
    assert response.headers["Location"] == f"/incidents/{waiting.incident_id}/"
    assert Action.objects.get().status == "planned"
    alice.post(f"/actions/{waiting.pk}/cancel")
    assert Action.objects.get().status == "cancelled"
    assert told(alice.post(f"/actions/{waiting.pk}/cancel"))[-1][0] == "error"


def test_it_shows_hostile_text_as_text(
    cast: Cast, alice: Client, decided: Callable[..., Action]
) -> None:
    """Senders' and people's words never become markup, on any page [P17]."""
    action = decided(
        cast.capture, message=XSS, vendor=XSS[:90], resource_id=XSS, error_code=XSS[:60],
        payload={"error_message": XSS, XSS: [XSS]}, event_type="work.failed",
    )  # fmt: skip
    alice.post(f"/incidents/{action.incident_id}/comment", {"comment": XSS})
    alice.post("/safety/stop", {"scope": "vendor", "target": XSS[:90], "reason": XSS})
    for path in ("/", "/incidents/", f"/incidents/?q={XSS}", f"/incidents/{action.incident_id}/",
                 "/approvals/", "/actions/", "/safety/"):  # fmt: skip
        response = alice.get(path)
        html = response.content.decode()
        assert response.status_code == 200, path
        for live in ("<script>alert", "<img src=x", '</title>"', "</title>'", "--></title>"):
            assert live not in html, (path, live)


def test_it_asks_the_database_a_bounded_number_of_times(
    cast: Cast, alice: Client, waiting: Action
) -> None:
    """At most 15 queries beside the sign-in, also with hundreds of events."""
    for number in range(60):
        an_event(cast.capture, resource_id=str(number))
    page(alice, waiting.incident_id)
    with CaptureQueriesContext(connection) as found:
        page(alice, waiting.incident_id)
    assert len(found) - 3 <= 15
