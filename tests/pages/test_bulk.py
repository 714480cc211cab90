"""Doing the same to many incidents that somebody ticked [I6]."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from incidents.models import Incident
from tests.cast import Cast
from tests.pages.looks import Answer, told
from tests.pages.rows import an_incident_row


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


@pytest.fixture
def three(cast: Cast) -> list[Incident]:
    return [an_incident_row(cast.capture) for _ in range(3)]


def post(client: Client, rows: list[Incident], verb: str, **fields: Any) -> Answer:
    fields = {"expected": len(rows)} | fields
    return client.post("/incidents/bulk", {"id": [r.pk for r in rows], "do": verb, **fields})


def ticked(client: Client) -> set[Any]:
    return {row.pk for row in client.get("/incidents/?q=").context["incidents"] if row.selected}


@pytest.mark.parametrize(
    ("verb", "fields", "changed"),
    [
        ("acknowledge", {}, {"acknowledged_at__isnull": False}),
        ("assign", {"assignee": "alice"}, {"assignee__username": "alice"}),
        ("snooze", {"for": "recovery"}, {"snoozed_at__isnull": False}),
        ("ignore", {"comment": "A sandbox"}, {"status": "ignored"}),
        ("resolve", {}, {"status": "resolved"}),
    ],
)
def test_it_does_it_to_what_was_ticked_alone(
    cast: Cast, alice: Client, three: list[Incident], verb: str, fields: Any, changed: Any
) -> None:
    if "assignee" in fields:
        fields = {"assignee": cast.people["alice"].pk}
    answer = post(alice, three[:2], verb, next="/incidents/?severity=high", **fields)
    assert answer.headers["Location"] == "/incidents/?severity=high"
    assert told(answer)[0][1].startswith("2 ")
    assert set(Incident.objects.filter(**changed)) == set(three[:2])
    assert ticked(alice) == set()


def test_what_did_not_fit_stays_ticked_and_says_why(
    cast: Cast, alice: Client, three: list[Incident]
) -> None:
    """Seen red without `refuse_closed` in `services.acknowledge`: all three were."""
    Incident.objects.filter(pk=three[1].pk).update(status="resolved", resolved_at=timezone.now())
    [(level, text)] = told(post(alice, three, "acknowledge"))
    assert level == "error"
    assert text.startswith(
        f"2 of 3 acknowledged. {three[1].label}: This incident is resolved and cannot become"
    )
    assert Incident.objects.filter(acknowledged_at__isnull=False).count() == 2
    assert ticked(alice) == {three[1].pk}
    assert ticked(alice) == set()


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("acknowledge", {"expected": 2}),
        ("ignore", {"comment": " "}),
        ("snooze", {"for": "ever"}),
        ("assign", {"assignee": "999999"}),
        ("forget", {}),
    ],
)
def test_it_changes_nothing_where_something_is_wrong(
    alice: Client, three: list[Incident], verb: str, fields: Any
) -> None:
    """Another count than was shown, too; all stay ticked. Seen red without the look at it."""
    answer = post(alice, three, verb, **fields)
    assert [level for level, _ in told(answer)] == ["error"]
    rows = Incident.objects.values_list("status", "acknowledged_at", "assignee", "snoozed_at")
    assert set(rows) == {("new", None, None, None)}
    assert ticked(alice) == {row.pk for row in three}


def test_it_works_without_a_script_to_count(alice: Client, three: list[Incident]) -> None:
    assert told(post(alice, three, "acknowledge", expected="")) == [("success", "3 acknowledged")]


def test_it_does_nothing_to_any_if_one_is_not_the_tenants(
    cast: Cast, alice: Client, three: list[Incident]
) -> None:
    foreign = an_incident_row(cast.routing)
    assert post(alice, [*three, foreign], "acknowledge").status_code == 404
    assert not Incident.objects.filter(acknowledged_at__isnull=False).exists()


def test_a_viewer_has_neither_bar_nor_right(cast: Cast, three: list[Incident]) -> None:
    vera = cast.client_as("vera")
    assert post(vera, three, "acknowledge").status_code == 403
    assert 'id="bulk"' not in vera.get("/incidents/").content.decode()


def test_the_api_reports_row_by_row(cast: Cast, three: list[Incident]) -> None:
    """The count must be right there, and each id the tenant's."""
    Incident.objects.filter(pk=three[0].pk).update(status="ignored")
    api, ids = cast.api(), [str(row.pk) for row in three]

    def ask(**body: Any) -> Any:
        given = {"ids": ids, "expected": len(ids), "verb": "acknowledge"} | body
        return api.post("/api/v1/incidents/bulk", given, content_type="application/json")

    document = ask().json()
    assert document["done"] == ids[1:]
    [left] = document["left"]
    assert (left["id"], left["label"], left["code"]) == (
        ids[0], three[0].label, "invalid_transition",
    )  # fmt: skip
    for wrong in ({"expected": 2}, {"verb": "assign"}, {"verb": "snooze"}, {"ids": []}):
        assert ask(**wrong).status_code == 400, wrong
    assert ask(ids=[*ids, str(uuid4())], expected=4).status_code == 404
    assert ask(verb="assign", assignee="alice").json()["left"] == []
