"""Taking back what was just done: an acknowledgement, an owner, a snooze, a bulk of them [I6]."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from awfdrs_site.kernel.models import AuditEntry
from incidents import services
from incidents.models import Incident, TimelineEntry
from incidents.triage import snoozing
from tenants.access import identity_of
from tenants.members import remove_member
from tenants.models import Membership
from tests.cast import Cast
from tests.pages.looks import Answer, post_forms, text_of
from tests.pages.looks import told as all_told
from tests.pages.rows import an_incident_row


def told(answer: Answer) -> list[tuple[str, str]]:
    """The last message: what is not looked at by a page stays."""
    return all_told(answer)[-1:]


STANDING = ("acknowledged_at", "acknowledged_by", "assignee", "snoozed_at", "snoozed_until")


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


@pytest.fixture
def row(cast: Cast) -> Incident:
    return an_incident_row(cast.capture)


def standing(row: Incident) -> tuple[Any, ...]:
    return Incident.objects.values_list(*STANDING).get(pk=row.pk)


def do(client: Client, row: Incident, verb: str, **fields: Any) -> str:
    """Do it by the page's form; what the Undo of the next page's toast posts."""
    assert client.post(f"/incidents/{row.pk}/{verb}", fields).status_code == 303
    return offered(client)


def offered(client: Client) -> str:
    page = client.get("/mentions/").content.decode()
    found = re.search(r'name="deeds" value="([\d,]+)"', page)
    return found[1] if found else ""


def undo(client: Client, deeds: str) -> Answer:
    answer = client.post("/incidents/undo", {"deeds": deeds, "next": "/incidents/?status="})
    assert answer.headers["Location"] == "/incidents/?status="
    return answer


@pytest.mark.parametrize(
    ("verb", "fields", "before"),
    [
        ("acknowledge", {}, False),
        ("assign", {"assignee": "anna"}, False),
        ("assign", {"assignee": "anna"}, True),
        ("assign", {"assignee": ""}, True),
        ("snooze", {"for": "2h"}, False),
        ("snooze", {"for": "recovery"}, True),
    ],
)
def test_it_takes_back_what_was_done(
    cast: Cast, alice: Client, row: Incident, verb: str, fields: Any, before: bool
) -> None:
    """As it was before: with an owner and a snooze, or without; told, audited, in the timeline."""
    if before:
        actor, now = (
            identity_of(Membership.objects.get(user__username="vera")).actor,
            timezone.now(),
        )
        user = cast.people["vera"]
        services.assign(incident=row, user=user, actor=actor, now=now)
        until = now + timedelta(days=1)
        snoozing.snooze(incident=row, until=until, user=user, actor=actor, now=now)
    if fields.get("assignee"):
        fields = {"assignee": cast.people["anna"].pk}
    was = standing(row)
    deeds = do(alice, row, verb, **fields)
    assert standing(row) != was
    assert told(undo(alice, deeds)) == [("success", f"{row.label}: taken back")]
    assert standing(row) == was
    line = TimelineEntry.objects.filter(incident=row).latest("pk")
    assert (line.kind, line.actor) == ("undone", "alice")
    assert line.text.startswith("took back the ")
    assert AuditEntry.objects.latest("pk").verb.startswith("un")


def test_the_story_shows_it(alice: Client, row: Incident) -> None:
    undo(alice, do(alice, row, "acknowledge"))
    text = text_of(alice.get(f"/incidents/{row.pk}/"))
    assert "alice : took back the acknowledgement" in text
    assert "nobody has taken it" in text


@pytest.mark.parametrize("meanwhile", ["the like", "undone", "closed", "reopened", "no member"])
def test_it_is_refused_if_somebody_did_something_else_meanwhile(
    cast: Cast, alice: Client, row: Incident, meanwhile: str
) -> None:
    """And nothing is changed. Each seen red without its guard: the look at `after` (undone,
    reopened), at `later` (the like), `refuse_closed` (closed), `_are_members` (no member)."""
    anna = cast.client_as("anna")
    vera = Membership.objects.get(user__username="vera")
    services.assign(incident=row, user=vera.user, actor=identity_of(vera).actor, now=timezone.now())
    deeds = do(alice, row, "assign", assignee=cast.people["anna"].pk)
    if meanwhile == "the like":
        do(anna, row, "assign", assignee=cast.people["alice"].pk)
        do(anna, row, "assign", assignee=cast.people["anna"].pk)
    elif meanwhile == "undone":
        undo(anna, deeds)
    elif meanwhile == "no member":
        remove_member(membership=vera, actor=identity_of(vera).actor, now=timezone.now())
    else:
        deeds = do(alice, row, "acknowledge")
        do(anna, row, "resolve", comment="By hand")
        if meanwhile == "reopened":
            do(anna, row, "reopen")
    was = standing(row)
    [(level, text)] = told(undo(alice, deeds))
    assert level == "error"
    assert ("changed meanwhile. Nothing was taken back" in text) == (meanwhile != "closed"), text
    assert standing(row) == was


def test_the_second_to_acknowledge_has_nothing_to_take_back(
    cast: Cast, alice: Client, row: Incident
) -> None:
    """The first acknowledgement stands, and is not theirs."""
    do(cast.client_as("anna"), row, "acknowledge")
    assert do(alice, row, "acknowledge") == ""


def test_a_bulk_is_undone_as_one_and_no_more_than_it_did(cast: Cast, alice: Client) -> None:
    """What Anna had, and what Alice had before, stays. Seen red without the time in `left_by`."""
    rows = [an_incident_row(cast.capture) for _ in range(4)]
    do(cast.client_as("anna"), rows[0], "acknowledge")
    do(alice, rows[3], "acknowledge")
    ids = [row.pk for row in rows]
    alice.post("/incidents/bulk", {"id": ids, "do": "acknowledge", "expected": 4})
    deeds = offered(alice)
    assert told(undo(alice, deeds)) == [("success", "2 taken back")]
    assert [standing(row)[0] is not None for row in rows] == [True, False, False, True]
    [(level, text)] = told(undo(alice, deeds))
    assert (level, text.count("changed meanwhile")) == ("error", 2)


def test_what_could_be_done_of_a_bulk_can_be_undone(cast: Cast, alice: Client) -> None:
    """And what changed since is told, row by row."""
    anyone = identity_of(Membership.objects.get(user__username="vera")).actor
    rows = [an_incident_row(cast.capture) for _ in range(3)]
    services.ignore(incident=rows[0], actor=anyone, now=timezone.now())
    ids = [row.pk for row in rows]
    alice.post("/incidents/bulk", {"id": ids, "do": "snooze", "for": "2h", "expected": 3})
    deeds = offered(alice)
    do(cast.client_as("anna"), rows[1], "wake")
    [(level, text)] = told(undo(alice, deeds))
    assert (level, text) == (
        "error",
        f"1 of 2 taken back. {rows[1].label} was changed meanwhile. Nothing was taken back.",
    )
    assert standing(rows[2])[3] is None


@pytest.mark.parametrize("verb", ["ignore", "resolve"])
def test_what_is_not_free_to_undo_offers_none(alice: Client, row: Incident, verb: str) -> None:
    """Nor a comment: people have read it."""
    assert do(alice, row, verb, comment="Why") == ""
    assert do(alice, row, "comment", comment="Hello") == ""


@pytest.mark.parametrize("deeds", ["", "x", "99999999999", "1" * 5000])
def test_what_names_nothing_changes_nothing(alice: Client, row: Incident, deeds: str) -> None:
    do(alice, row, "acknowledge")
    answer = alice.post("/incidents/undo", {"deeds": deeds})
    assert answer.status_code in (303, 404)
    assert standing(row)[0] is not None


def test_nobody_takes_back_what_is_another_tenants(
    cast: Cast, alice: Client, row: Incident
) -> None:
    """404 for another tenant's person, 403 for a viewer. Red without the tenant in `deeds_for`."""
    deeds = do(alice, row, "acknowledge")
    for name, status in (("mallory", 404), ("vera", 403)):
        client = cast.client_as(name)
        assert client.post("/incidents/undo", {"deeds": deeds}).status_code == status, name
    assert standing(row)[0] is not None


def test_without_a_toast_the_page_offers_it(cast: Cast, alice: Client, row: Incident) -> None:
    """With the acknowledgement it showed: another one that came since is not taken back."""
    do(alice, row, "acknowledge")
    page = alice.get(f"/incidents/{row.pk}/")
    [form] = [f for f in post_forms(page) if f.action.endswith("/unacknowledge")]
    fields = {k: v for k, v in form.fields.items() if k == "acknowledged_at"}
    alice.post(form.action, fields)
    assert standing(row)[0] is None
    do(cast.client_as("anna"), row, "acknowledge")
    [(level, text)] = told(alice.post(form.action, fields))
    assert (level, standing(row)[0] is not None) == ("error", True), text
    [(level, _)] = told(alice.post(form.action, {"acknowledged_at": "yesterday"}))
    assert (level, standing(row)[0] is not None) == ("error", True)


def test_the_api_takes_an_acknowledgement_back(cast: Cast, row: Incident) -> None:
    """409 where there is none, or another than is meant."""
    api, url = cast.api(), f"/api/v1/incidents/{row.pk}"

    def post(verb: str, **body: Any) -> Any:
        return api.post(f"{url}/{verb}", body, content_type="application/json")

    assert post("unacknowledge").json()["code"] == "changed_meanwhile"
    at = post("acknowledge").json()["acknowledged_at"]
    assert post("unacknowledge", acknowledged_at="2026-01-01T00:00:00Z").status_code == 409
    assert post("unacknowledge", acknowledged_at=at).json()["acknowledged_at"] is None
    post("acknowledge")
    assert post("unacknowledge").json()["acknowledged_by"] is None
