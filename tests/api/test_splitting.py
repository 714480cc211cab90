"""Splitting an incident for good by the API [I6]."""

from __future__ import annotations

from typing import Any

import pytest

from awfdrs_site.kernel import work
from incidents.detecting.detection import detect
from incidents.models import GroupingPin, Incident, IncidentEvent
from tests.api.test_merging import post
from tests.builders import an_event
from tests.cast import Cast


def fails(cast: Cast, vendor: str) -> Incident:
    message = f"{vendor} of order 7"
    event = an_event(cast.capture, error_code="timeout", vendor=vendor, message=message)
    work.run_due("detect", detect)
    return IncidentEvent.objects.get(event=event).incident


@pytest.fixture
def mixed(cast: Cast) -> Incident:
    for vendor in ("stripe", "adyen", "stripe"):
        incident = fails(cast, vendor)
    return incident


def test_it_shows_splits_lists_and_takes_back(cast: Cast, mixed: Incident) -> None:
    api = cast.api()
    shown = cast.api("meridian-read").get(f"/api/v1/incidents/{mixed.pk}/split").json()
    assert (shown["looked"], shown["events"]) == (3, 3)
    by_trait = {one["trait"]: one["variants"] for one in shown["differences"]}
    assert by_trait.keys() == {"message", "vendor"}
    stripe = by_trait["vendor"][0]
    assert (stripe["value"], stripe["events"], stripe["example"]) == (
        "stripe", 2, "stripe of order 7",
    )  # fmt: skip
    choice = {"trait": "vendor", "value": "stripe", "reason": "Two outages."}
    answer = post(api, f"{mixed.pk}/split", choice)
    assert answer.status_code == 200, answer.content
    done = answer.json()
    assert (done["moved"], done["incident"]["event_count"]) == (2, 2)
    assert done["pin"]["created_by"] == api.get("/api/v1/pins").json()["results"][0]["created_by"]
    assert str(fails(cast, "stripe").pk) == done["incident"]["id"]
    pin = done["pin"]["id"]
    for where in (mixed.pk, done["incident"]["id"]):
        [told] = api.get(f"/api/v1/incidents/{where}/grouping").json()["pins"]
        assert (told["id"], told["reason"]) == (pin, "Two outages.")
    back = api.post(f"/api/v1/pins/{pin}/undo", {}, "application/json")
    assert (back.status_code, back.json()["event_count"]) == (200, 4)
    assert api.get("/api/v1/pins").json()["results"] == []
    assert api.post(f"/api/v1/pins/{pin}/undo", {}, "application/json").status_code == 404


def test_a_removed_pin_lets_the_grouper_decide(cast: Cast, mixed: Incident) -> None:
    api = cast.api()
    done = post(api, f"{mixed.pk}/split", {"trait": "vendor", "value": "stripe"}).json()
    answer = api.delete(f"/api/v1/pins/{done['pin']['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert fails(cast, "stripe") == mixed
    assert Incident.objects.count() == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"trait": "weather", "value": "rain"},
        {"trait": "vendor", "value": "paypal"},
        {"trait": "vendor", "value": 7},
        {"trait": "vendor", "value": "stripe", "why": ""},
    ],
)
def test_a_bad_body_changes_nothing(cast: Cast, mixed: Incident, body: dict[str, Any]) -> None:
    answer = post(cast.api(), f"{mixed.pk}/split", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert not GroupingPin.objects.exists()


def test_what_is_under_way_is_a_conflict(cast: Cast, mixed: Incident) -> None:
    Incident.objects.filter(pk=mixed.pk).update(recovery="running")
    answer = post(cast.api(), f"{mixed.pk}/split", {"trait": "vendor", "value": "stripe"})
    assert (answer.status_code, answer.json()["code"]) == (409, "cannot_split")
