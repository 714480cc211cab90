"""Asking for a permit, tripping and resetting by REST [S3]."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from awfdrs_site.kernel.actor import MACHINE
from safety.models import Vendor
from safety.throttle import Throttle
from safety.throttling import throttle
from tests.cast import Cast

VENDOR = "/api/v1/vendors/Stripe"


@pytest.fixture
def vendor(cast: Cast) -> Vendor:
    return Vendor.objects.create(tenant=cast.meridian, name="stripe", requests_per_minute=5)


@pytest.fixture
def api(cast: Cast) -> Client:
    return cast.api()


def shift(vendor: Vendor, **fields: Any) -> None:
    Vendor.objects.filter(pk=vendor.pk).update(**{"breaker_changed_at": timezone.now()} | fields)


def permit(api: Client) -> tuple[int, dict[str, Any], str | None]:
    answer = api.get(f"{VENDOR}/permit")
    return answer.status_code, answer.json(), answer.headers.get("Retry-After")


def set_to(api: Client, state: Any, reason: Any = "Vendor said so") -> Any:
    body = {"state": state, "reason": reason}
    return api.post(f"{VENDOR}/breaker", body, content_type="application/json")


def test_a_closed_breaker_permits_until_the_limit(api: Client, vendor: Vendor) -> None:
    free = {"allowed": True, "breaker_state": "closed", "probe_until": None}
    assert [permit(api)[:2] for _ in range(5)] == [(200, free)] * 5
    status, problem, wait = permit(api)
    assert (status, problem["code"]) == (429, "rate_limited")
    assert 1 <= int(wait or 0) <= 60


def test_an_open_breaker_says_when_to_ask_again(api: Client, vendor: Vendor) -> None:
    shift(vendor, breaker_state="open", open_seconds=90)
    status, problem, wait = permit(api)
    assert (status, problem["code"], problem["vendor"]) == (503, "circuit_open", "stripe")
    assert 88 <= int(wait or 0) <= 90
    shift(vendor, breaker_state="forced_open")
    assert permit(api)[0] == 503
    shift(vendor, breaker_state="disabled")
    assert permit(api)[0] == 200
    vendor.refresh_from_db()
    assert vendor.calls_saved == 0  # counted after the commit, which a test never makes


def test_a_half_open_breaker_permits_its_probes_and_no_more(api: Client, vendor: Vendor) -> None:
    """Also where nothing came by since it was due: the clock alone half-opens it."""
    ago = timezone.now() - timedelta(seconds=301)
    shift(vendor, breaker_state="open", breaker_changed_at=ago, half_open_probes=2)
    answers = [permit(api) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 503]
    assert answers[0][1]["breaker_state"] == "half_open"
    assert answers[0][1]["probe_until"] is not None
    assert 118 <= int(answers[2][2] or 0) <= 120
    shown = api.get(VENDOR).json()
    assert (shown["breaker_state"], shown["probes_free"]) == ("half_open", 0)
    assert [(s["before"], s["after"], s["actor"]) for s in shown["history"]] == [
        ("open", "half_open", "automation")
    ]
    listed = api.get("/api/v1/vendors?breaker_state=half_open").json()["results"]
    assert [row["name"] for row in listed] == ["stripe"]
    assert api.get("/api/v1/vendors?breaker_state=open,closed").json()["results"] == []


def test_people_and_programs_set_it_with_a_reason(api: Client, cast: Cast, vendor: Vendor) -> None:
    for state in ("open", "closed", "forced_open", "disabled"):
        answer = set_to(api, state)
        assert (answer.status_code, answer.json()["breaker_state"]) == (200, state)
    history = api.get(VENDOR).json()["history"]
    assert [step["after"] for step in history] == ["disabled", "forced_open", "closed", "open"]
    assert {step["why"] for step in history} == {"Vendor said so"}
    illegal = set_to(api, "half_open")
    assert (illegal.status_code, illegal.json()["code"]) == (409, "invalid_transition")
    assert illegal.json()["legal"] == sorted(api.get(VENDOR).json()["steps"])
    for state, reason, field in (("ajar", "x", "state"), ("open", "", "reason")):
        refusal = set_to(api, state, reason)
        assert (refusal.status_code, refusal.json()["errors"][0]["field"]) == (400, field)
    assert set_to(api, "open").status_code == 200
    probed = api.post(f"{VENDOR}/breaker", {"state": "half_open"}, content_type="application/json")
    assert (probed.status_code, probed.json()["breaker_state"]) == (200, "half_open")
    assert set_to(cast.client_as("vera"), "closed").status_code == 403
    assert set_to(cast.client_as("alice"), "closed").status_code == 200
    assert set_to(cast.api("northwind-all"), "open").status_code == 404
    assert cast.api("meridian-read").get(f"{VENDOR}/permit").status_code == 403


def test_a_throttle_limits_permits_until_a_caller_ends_it(api: Client, vendor: Vendor) -> None:
    """It shows with its end, here and among the limits; a 200 for ending it, also twice."""
    now = timezone.now()
    slow = Throttle(1, now + timedelta(minutes=10), "INC-12", "")
    throttle(vendor=vendor, new=slow, actor=MACHINE, now=now)
    assert [permit(api)[0] for _ in range(2)] == [200, 429]
    shown = api.get(VENDOR).json()["throttle"]
    assert (shown["per_minute"], shown["by"]) == (1, "INC-12")
    row = api.get("/api/v1/safety/limits").json()["limits"][-1]
    assert (row["limit"], row["throttled_by"], row["throttled_until"]) == (
        *(1, "INC-12"),
        shown["until"],
    )
    for _ in range(2):
        ended = api.post(f"{VENDOR}/unthrottle", content_type="application/json")
        assert (ended.status_code, ended.json()["throttle"]) == (200, None)
    assert permit(api)[0] == 200
