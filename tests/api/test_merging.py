"""Merging by the API, and why failures are grouped [I6]."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from incidents.models import Incident
from tests.cast import Cast
from tests.pages.test_merging import fails


@pytest.fixture
def two(cast: Cast) -> list[Incident]:
    return [fails(cast.capture, "gateway_late"), fails(cast.capture, "gateway_gone")]


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(f"/api/v1/incidents/{path}", body, "application/json")


def test_it_merges_answers_with_the_survivor_and_splits_off_again(
    cast: Cast, two: list[Incident]
) -> None:
    api, (late, gone) = cast.api(), two
    merged = post(api, "merge", {"into": late.pk, "ids": [gone.pk], "comment": "One gateway."})
    assert (merged.status_code, merged.json()["event_count"]) == (200, 2)
    for answer in (
        api.get(f"/api/v1/incidents/{gone.pk}"),
        api.get(f"/api/v1/incidents/{gone.pk}/events"),
        post(api, f"{gone.pk}/acknowledge", {}),
        post(api, "merge", {"into": gone.pk, "ids": [late.pk]}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "incident_merged")
        assert answer.json()["merged_into"] == {"id": str(late.pk), "label": late.label}
    listed = api.get("/api/v1/incidents").json()["results"]
    assert [row["id"] for row in listed] == [str(late.pk)]
    [told] = api.get(f"/api/v1/incidents/{late.pk}/grouping").json()["merged"]
    assert (told["label"], told["event_count"]) == (gone.label, 1)
    rest = post(api, f"{late.pk}/unmerge", {"ids": [gone.pk]})
    assert (rest.status_code, rest.json()["event_count"]) == (200, 1)
    assert api.get(f"/api/v1/incidents/{gone.pk}").json()["status"] == "new"


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"into": "x", "ids": []}, 400), ({"into": 1, "ids": "all", "why": ""}, 400)],
)
def test_a_bad_body_changes_nothing(
    cast: Cast, two: list[Incident], body: dict[str, Any], status: int
) -> None:
    assert post(cast.api(), "merge", body).status_code == status
    assert post(cast.api(), f"{two[0].pk}/unmerge", body).status_code == status
    assert Incident.objects.count() == 2


def test_it_tells_why_failures_are_grouped(cast: Cast, two: list[Incident]) -> None:
    found = cast.api("meridian-read").get(f"/api/v1/incidents/{two[0].pk}/grouping").json()
    assert found["kind"] == "code"
    assert found["parts"] == [
        {"name": "error code", "value": "gateway_late"},
        {"name": "workflow", "value": "payments.capture"},
    ]
    assert found["example"]["payload"]["error_code"] == "gateway_late"
    assert (found["taken_out"], found["merged"]) == ([], [])
