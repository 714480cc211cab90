"""`/api/v1/incidents`: lists, one incident, and what people do to it [I5 I6]."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from awfdrs_site.kernel.actor import MACHINE
from incidents import announce
from incidents.models import Incident, IncidentEvent, TimelineEntry
from incidents.states import TRANSITIONS, IncidentStatus
from tests.api.conftest import a_decision, an_incident
from tests.builders import an_event
from tests.cast import Cast

BASE = "/api/v1/incidents"
HOUR = timedelta(hours=1)


@pytest.fixture
def api(cast: Cast) -> Client:
    return cast.api()


def titles(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["title"] for row in answer.json()["results"]]


def errors(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 400, answer.content
    document = answer.json()
    assert document["code"] == "validation_error"
    assert answer.headers["Content-Type"] == "application/problem+json"
    return [(error["field"], error["code"]) for error in document["errors"]]


@pytest.fixture
def three(cast: Cast) -> list[Incident]:
    """a: critical payments, newest; b: low contacts, assigned to alice; c: resolved, oldest."""
    now = timezone.now()
    return [
        an_incident(
            cast.capture, title="a", severity="critical", vendor="stripe", event_count=5, seen=now
        ),
        an_incident(
            cast.contacts,
            title="b",
            severity="low",
            category="bad_data",
            status="new",
            assignee=cast.people["alice"],
            event_count=9,
            seen=now - 2 * HOUR,
            signature_text="duplicate_value",
        ),
        an_incident(
            cast.capture,
            title="c",
            severity="high",
            status="resolved",
            resolved_at=now,
            event_count=1,
            seen=now - 4 * HOUR,
        ),
    ]


def test_the_list_shows_the_latest_seen_first(api: Client, three: list[Incident]) -> None:
    answer = api.get(BASE)
    assert titles(answer) == ["a", "b", "c"]
    document = answer.json()
    assert (document["next"], document["previous"]) == (None, None)
    row = document["results"][1]
    assert row["label"] == f"INC-{three[1].number}"
    assert row["workflow"]["name"] == "crm.contact-sync"
    assert (row["assignee"], row["state"], row["recovery"]) == ("alice", "open", "")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=new", "b"),
        ("status=new,resolved", "bc"),
        ("severity=critical,low", "ab"),
        ("workflow=payments.capture", "ac"),
        ("workflow={contacts}", "b"),
        ("workflow=no.such", ""),
        ("workflow=00000000-0000-4000-8000-000000000000", ""),
        ("vendor=stripe", "a"),
        ("category=bad_data", "b"),
        ("assignee=alice", "b"),
        ("assignee=none", "ac"),
        ("q=DUPLICATE", "b"),
        ("q=INC-{number}", "b"),
        ("q={number}", "b"),
        ("q=%25", ""),
        ("since={long_ago}", "ab"),
        ("until={long_ago}", "c"),
        ("since={long_ago}&until={lately}", "b"),
        ("status=actioned&severity=critical&vendor=stripe", "a"),
        ("status=", "abc"),
    ],
)
def test_every_filter_narrows_the_list(
    api: Client, cast: Cast, three: list[Incident], query: str, found: str
) -> None:
    now = timezone.now()
    values = {
        "contacts": cast.contacts.pk,
        "number": three[1].number,
        "long_ago": quote((now - 3.5 * HOUR).isoformat()),
        "lately": quote((now - 1.5 * HOUR).isoformat()),
    }
    assert titles(api.get(f"{BASE}?{query.format(**values)}")) == list(found)


@pytest.mark.parametrize(
    ("ordering", "found"),
    [
        ("last_seen_at", "cba"),
        ("-event_count", "bac"),
        ("event_count", "cab"),
        ("severity", "acb"),
        ("-severity", "bca"),
        ("number", "abc"),
        ("-first_seen_at", "abc"),
    ],
)
def test_every_ordering_orders(
    api: Client, three: list[Incident], ordering: str, found: str
) -> None:
    assert titles(api.get(BASE, {"ordering": ordering})) == list(found)


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("status=open", "status", "invalid_choice"),
        ("status=new,open", "status", "invalid_choice"),
        ("severity=worst", "severity", "invalid_choice"),
        ("since=yesterday", "since", "invalid_instant"),
        ("since=2026-01-01T00:00:00", "since", "invalid_instant"),
        ("until=2026-13-01T00:00:00Z", "until", "invalid_instant"),
        ("ordering=title", "ordering", "invalid_choice"),
        ("ordering=--number", "ordering", "invalid_choice"),
        ("page_size=0", "page_size", "out_of_range"),
        ("page_size=201", "page_size", "out_of_range"),
        ("page_size=ten", "page_size", "out_of_range"),
        ("page_size=٣", "page_size", "out_of_range"),
        ("cursor=x", "cursor", "invalid"),
        ("cursor=WzAsImEiLCJiIl0", "cursor", "invalid"),
        ("cursor=WzAsMSwyXQ", "cursor", "invalid"),
        ("cursor=W1tbW1tb", "cursor", "invalid"),
        ("cursor=" + "A" * 1001, "cursor", "invalid"),
        ("state=open", "state", "unknown_parameter"),
        ("page=2", "page", "unknown_parameter"),
        ("format=json", "format", "unknown_parameter"),
        ("q=%00", "q", "null_characters_not_allowed"),
        ("vendor=%00", "vendor", "null_characters_not_allowed"),
    ],
)
def test_a_query_that_means_nothing_is_refused_by_name(
    api: Client, three: list[Incident], query: str, field: str, code: str
) -> None:
    assert errors(api.get(f"{BASE}?{query}")) == [(field, code)]


@pytest.mark.parametrize("ordering", ["-last_seen_at", "severity", "-event_count", "number"])
def test_pages_lead_through_the_whole_list_and_back(api: Client, cast: Cast, ordering: str) -> None:
    """Every row once, in order, also where the sort values are all the same."""
    seen = timezone.now()
    for index in range(11):
        an_incident(cast.capture, title=f"t{index:02d}", seen=seen, event_count=index % 2)
    whole = titles(api.get(BASE, {"ordering": ordering}))
    url, pages = f"{BASE}?ordering={ordering}&page_size=3", []
    while url:
        answer = api.get(url)
        pages.append(titles(answer))
        last, url = answer.json(), answer.json()["next"]
    assert [len(page) for page in pages] == [3, 3, 3, 2]
    assert [title for page in pages for title in page] == whole
    back = []
    while last["previous"]:
        answer = api.get(last["previous"])
        back.insert(0, titles(answer))
        last = answer.json()
    assert back == pages[:-1]


def test_the_list_takes_as_many_queries_for_many_rows_as_for_few(
    api: Client, cast: Cast, three: list[Incident]
) -> None:
    api.get(BASE)
    with CaptureQueriesContext(connection) as few:
        api.get(BASE)
    for _ in range(30):
        an_incident(
            cast.capture, assignee=cast.people["alice"], acknowledged_by=cast.people["anna"]
        )
    with CaptureQueriesContext(connection) as many:
        api.get(BASE)
    assert len(many) == len(few) <= 4


def test_one_incident_its_events_timeline_decisions_and_likenesses(api: Client, cast: Cast) -> None:
    incident = an_incident(cast.capture)
    url = f"{BASE}/{incident.pk}"
    assert api.get(f"{url}/similar").json() == {"decision_id": None, "results": []}
    event = an_event(cast.capture)
    IncidentEvent.objects.create(incident=incident, event=event)
    announce.note(incident, "opened", "Opened", actor=MACHINE, now=timezone.now())
    similar = [{"incident_id": "x", "score": 0.9}]
    a_decision(incident)
    newest = a_decision(incident, similar=similar)
    assert api.get(url).json()["id"] == str(incident.pk)
    (row,) = api.get(f"{url}/events").json()["results"]
    assert row["event_id"] == str(event.pk)
    assert row["payload"]["error_code"] == "payment_timeout"
    (entry,) = api.get(f"{url}/timeline").json()["results"]
    assert (entry["kind"], entry["actor_kind"], entry["text"]) == ("opened", "machine", "Opened")
    decisions = api.get(f"{url}/decisions").json()["results"]
    assert next(d["id"] for d in decisions) == str(newest.pk)
    assert api.get(f"{url}/similar").json() == {
        "decision_id": str(newest.pk), "results": similar
    }  # fmt: skip


@pytest.mark.parametrize("to", IncidentStatus.values)
@pytest.mark.parametrize("status", IncidentStatus.values)
def test_every_step_of_the_life_cycle(api: Client, cast: Cast, status: str, to: str) -> None:
    """200 where the table has the step and a person may take it; else 409 with those they may."""
    incident = an_incident(cast.capture, status=status, resolved_at=timezone.now())
    answer = api.patch(
        f"{BASE}/{incident.pk}/status", {"status": to}, content_type="application/json"
    )
    by_people = {"new", "resolved", "ignored"}
    document = answer.json()
    if to in TRANSITIONS[status] & by_people:
        assert (answer.status_code, document["status"]) == (200, to)
        assert TimelineEntry.objects.filter(incident=incident, actor="meridian-all").exists()
    else:
        assert (answer.status_code, document["code"]) == (409, "invalid_transition")
        assert document["current"] == status
        assert set(document["legal"]) <= TRANSITIONS[status]
        incident.refresh_from_db()
        assert incident.status == status


def test_a_comment_on_the_step_is_kept(api: Client, cast: Cast) -> None:
    incident = an_incident(cast.capture)
    body = {"comment": "known, fixed next week"}
    answer = api.post(f"{BASE}/{incident.pk}/ignore", body, content_type="application/json")
    assert answer.json()["status"] == "ignored"
    entry = TimelineEntry.objects.get(incident=incident)
    assert entry.data["comment"] == "known, fixed next week"


def test_a_person_acknowledges_takes_and_comments(cast: Cast) -> None:
    """Each answers with the incident as it is then; the timeline names the person."""
    client = cast.client_as("alice")
    incident = an_incident(cast.capture)
    url = f"{BASE}/{incident.pk}"

    def post(verb: str, body: dict[str, Any]) -> Any:
        answer = client.post(f"{url}/{verb}", body, content_type="application/json")
        assert answer.status_code == 200, answer.content
        return answer.json()

    assert post("acknowledge", {})["acknowledged_by"] == "alice"
    assert post("assign", {"assignee": "alice"})["assignee"] == "alice"
    assert post("assign", {"assignee": None})["assignee"] is None
    post("comment", {"text": "Looking at it."})
    kinds = TimelineEntry.objects.filter(incident=incident).order_by("id")
    assert [entry.kind for entry in kinds] == ["acknowledged", "assigned", "assigned", "comment"]
    assert {(entry.actor_kind, entry.actor) for entry in kinds} == {("person", "alice")}


def test_an_escalation_by_hand_happens_once(api: Client, cast: Cast) -> None:
    incident = an_incident(cast.capture)
    url = f"{BASE}/{incident.pk}/escalate"
    first = api.post(url, {"comment": "need help"}, content_type="application/json")
    assert first.status_code == 200, first.content
    second = api.post(url, {}, content_type="application/json")
    assert (second.status_code, second.json()["code"]) == (409, "already_escalated")


@pytest.mark.parametrize(
    ("verb", "body", "field", "code"),
    [
        ("status", {}, "status", "required"),
        ("status", {"status": "open"}, "status", "invalid_choice"),
        ("status", {"status": None}, "status", "null"),
        ("status", {"status": 5}, "status", "invalid_choice"),
        ("status", {"status": "new", "comment": 5}, "comment", "invalid"),
        ("status", {"status": "new", "reason": "x"}, "reason", "unknown_field"),
        ("ignore", {"status": "ignored"}, "status", "unknown_field"),
        ("ignore", {"comment": "x" * 5001}, "comment", "max_length"),
        ("acknowledge", {"by": "me"}, "by", "unknown_field"),
        ("assign", {}, "assignee", "required"),
        ("assign", {"assignee": "nobody"}, "assignee", "not_a_member"),
        ("assign", {"assignee": "mallory"}, "assignee", "not_a_member"),
        ("assign", {"assignee": 1}, "assignee", "invalid"),
        ("assign", {"assignee": ""}, "assignee", "blank"),
        ("comment", {}, "text", "required"),
        ("comment", {"text": "   "}, "text", "blank"),
        ("comment", {"text": "x" * 5001}, "text", "max_length"),
        ("comment", [], "", "invalid"),
        ("comment", "text", "", "invalid"),
        ("escalate", {"to": "me"}, "to", "unknown_field"),
        ("actions", {}, "kind", "required"),
        ("actions", {"kind": "none"}, "kind", "invalid_choice"),
        ("actions", {"kind": "retry", "parameters": []}, "parameters", "not_a_dict"),
        ("actions", {"kind": "retry", "parameters": {"x": 1}}, "parameters.x", "unknown_field"),
        (
            "actions", {"kind": "retry", "parameters": {"delay_seconds": -1}},
            "parameters.delay_seconds", "out_of_range",
        ),
    ],
)  # fmt: skip
def test_a_body_that_means_nothing_is_refused_by_field(
    api: Client, cast: Cast, verb: str, body: Any, field: str, code: str
) -> None:
    incident = an_incident(cast.capture)
    method = "PATCH" if verb == "status" else "POST"
    answer = api.generic(
        method, f"{BASE}/{incident.pk}/{verb}", json.dumps(body), "application/json"
    )
    assert errors(answer) == [(field, code)]
    assert not TimelineEntry.objects.filter(incident=incident).exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b'{"text": NaN}', 400, "invalid_json"),
        (b'{"text": "a", "text": "b"}', 400, "invalid_json"),
        (b'\xef\xbb\xbf{"text": "a"}', 400, "invalid_json"),
        (b'{"text": "\xff"}', 400, "invalid_json"),
        (b'{"text": "\\u0000"}', 400, "validation_error"),
        (b'{"text": "\\ud800"}', 400, "validation_error"),
        (b"[" * 100_000, 400, "invalid_json"),
    ],
)
def test_what_is_not_strict_json_is_refused(
    api: Client, cast: Cast, body: bytes, status: int, code: str
) -> None:
    incident = an_incident(cast.capture)
    answer = api.generic("POST", f"{BASE}/{incident.pk}/comment", body, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_form_is_no_json(api: Client, cast: Cast) -> None:
    incident = an_incident(cast.capture)
    answer = api.post(f"{BASE}/{incident.pk}/comment", {"text": "x"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("pk", ["x", "1", "00000000-0000-4000-8000-000000000000", "INC-1"])
def test_an_unknown_incident_is_404(api: Client, cast: Cast, pk: str) -> None:
    answer = api.get(f"{BASE}/{pk}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
