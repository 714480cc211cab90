"""The safety page: stopping is one click, resuming needs a reason [S6]."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from awfdrs_site.kernel.actor import MACHINE, Actor
from safety.models import KillSwitch, Vendor
from safety.services import engage_switch, release_switch
from tests.cast import Cast
from tests.pages.looks import Answer, Form, post_forms, text_of, told


@pytest.fixture
def alice(cast: Cast) -> Client:
    Vendor.objects.create(tenant=cast.meridian, name="stripe")
    return cast.client_as("alice")


def stop(client: Client, **fields: str) -> Answer:
    response = client.post("/safety/stop", fields)
    assert response.status_code == 303
    assert response.headers["Location"] == "/safety/"
    return response


def levers(client: Client) -> list[Form]:
    """The one-click forms of the page, without the dialog's."""
    forms = post_forms(client.get("/safety/"))
    return [f for f in forms if f.action == "/safety/stop" and "scope_target" not in f.fields]


def switches(client: Client) -> dict[str, dict[str, Any]]:
    return {row["label"]: row for row in client.get("/safety/").context["switches"]}


def test_it_stops_each_thing_by_one_form_without_a_question(cast: Cast, alice: Client) -> None:
    """Each lever's form, posted as it stands, stops what stands beside it."""
    forms = {(form.fields["scope"], form.fields["target"]): form for form in levers(alice)}
    wanted = {
        ("tenant", str(cast.meridian.pk)): "all of Meridian Commerce",
        ("workflow", str(cast.capture.pk)): "workflow payments.capture",
        ("workflow", str(cast.contacts.pk)): "workflow crm.contact-sync",
        ("vendor", "stripe"): "vendor stripe",
        ("action", "retry"): "all retries",
    }
    assert set(forms) == set(wanted)
    for key, words in wanted.items():
        response = stop(alice, **forms[key].fields)
        assert told(response)[-1] == ("success", f"Stopped: {words}")
        switch = KillSwitch.objects.latest("engaged_at")
        assert (switch.target(), switch.blocks, switch.expires_at) == (words, "automation", None)
        assert switch.engaged_by == "alice"
    assert levers(alice) == []


def test_it_stops_with_a_reason_for_a_time(cast: Cast, alice: Client) -> None:
    """The dialog's form: what, how long, why."""
    offered = [target["value"] for target in alice.get("/safety/").context["stop_targets"]]
    assert "vendor:stripe" in offered
    with time_machine.travel(timezone.now(), tick=False):
        stop(alice, scope_target="vendor:stripe", minutes="30", reason="Odd refunds")
        switch = KillSwitch.objects.get()
        assert switch.expires_at == timezone.now() + timedelta(minutes=30)
    text = text_of(alice.get("/safety/"))
    assert "alice stopped vendor stripe : “Odd refunds”" in text
    assert "Ends in" in text


@pytest.mark.parametrize(
    "fields",
    [
        {"scope_target": "vendor:stripe", "minutes": "0"},
        {"scope_target": "vendor:stripe", "minutes": "-5"},
        {"scope_target": "vendor:stripe", "minutes": "²"},
        {"scope_target": "vendor:stripe", "minutes": "99999999999"},
        {"scope_target": "vendor:stripe", "reason": "x" * 301},
        {"scope_target": "vendor:stripe", "reason": "\x00"},
        {"scope_target": "vendor:"},
        {"scope_target": "vendor:" + "x" * 101},
        {"scope_target": "everybody:x"},
        {},
    ],
)
def test_it_refuses_a_form_that_says_nothing_sensible(
    cast: Cast, alice: Client, fields: dict[str, str]
) -> None:
    response = stop(alice, **fields)
    assert told(response)[0][0] == "error"
    assert not KillSwitch.objects.exists()


def test_it_lets_operators_alone_stop_everything(cast: Cast, alice: Client) -> None:
    """An admin of one tenant must not stop the others. Seen red without the check."""
    response = alice.post("/safety/stop", {"scope": "global"})
    assert response.status_code == 403
    assert not KillSwitch.objects.exists()
    assert "global" not in [form.fields["scope"] for form in levers(alice)]
    assert cast.client_as("anna").post("/safety/stop", {"scope": "global"}).status_code == 403
    olga = cast.client_as("olga")
    assert "global" in [form.fields["scope"] for form in levers(olga)]
    stop(olga, scope="global", target="")
    assert KillSwitch.objects.get().tenant is None
    assert "Automation is stopped" in text_of(alice.get("/safety/"))
    resume = f"/safety/{KillSwitch.objects.get().pk}/resume"
    assert alice.post(resume, {"reason": "x"}).status_code == 403
    assert olga.post(resume, {"reason": "Over"}).status_code == 303
    assert KillSwitch.objects.get().released_by == "olga"


@pytest.mark.parametrize("scope", ["tenant", "workflow"])
def test_it_stops_nothing_of_another_tenant(cast: Cast, alice: Client, scope: str) -> None:
    """Also not from a tab that was open before the tenant was switched. Seen red without."""
    target = cast.northwind.pk if scope == "tenant" else cast.routing.pk
    assert alice.post("/safety/stop", {"scope": scope, "target": target}).status_code == 404
    assert alice.post("/safety/stop", {"scope": scope, "target": "x"}).status_code == 404
    assert not KillSwitch.objects.exists()


def test_it_resumes_with_a_reason_only(cast: Cast, alice: Client) -> None:
    stop(alice, scope="vendor", target="stripe")
    switch = KillSwitch.objects.get()
    resume = f"/safety/{switch.pk}/resume"
    assert resume in [form.action for form in post_forms(alice.get("/safety/"))]
    alice.post(resume, {"reason": " "})
    switch.refresh_from_db()
    assert switch.released_at is None
    alice.post(resume, {"reason": "Refunds are right"})
    switch.refresh_from_db()
    assert switch.release_reason == "Refunds are right"
    assert "alice resumed vendor stripe : “Refunds are right”" in text_of(alice.get("/safety/"))


def test_it_says_that_somebody_resumed_first(cast: Cast, alice: Client) -> None:
    stop(alice, scope="vendor", target="stripe")
    switch = KillSwitch.objects.get()
    anna = Actor("person", "anna")
    release_switch(switch=switch, reason="Over", actor=anna, now=timezone.now())
    response = alice.post(f"/safety/{switch.pk}/resume", {"reason": "x"})
    assert response.status_code == 303
    assert told(response)[-1][0] == "error"


def test_it_shows_each_levers_state(cast: Cast, alice: Client) -> None:
    """A vendor that was never seen has a lever while it is stopped; the stopped come first."""
    now = timezone.now()
    engage_switch(tenant=cast.meridian, scope="vendor", vendor="Acme", actor=MACHINE, now=now)
    engage_switch(
        tenant=cast.meridian, scope="workflow", workflow=cast.capture, actor=MACHINE, now=now
    )
    rows = alice.get("/safety/").context["switches"]
    assert [(row["scope"], row["label"], bool(row["engaged"])) for row in rows] == [
        ("global", "Every tenant, workflow and vendor", False),
        ("tenant", "Meridian Commerce", False),
        ("workflow", "payments.capture", True),
        ("workflow", "crm.contact-sync", False),
        ("vendor", "Acme", True),
        ("vendor", "stripe", False),
        ("action", "Retries", False),
    ]


def test_it_forgets_a_stop_at_its_time(cast: Cast, alice: Client) -> None:
    """The expiry is looked at, not waited for; history says that it ended by itself."""
    stop(alice, scope_target="vendor:stripe", minutes="15")
    ends = KillSwitch.objects.get().expires_at
    assert ends is not None
    assert switches(alice)["stripe"]["engaged"]
    with time_machine.travel(ends + timedelta(seconds=1), tick=False):
        client = cast.client_as("alice")
        assert not switches(client)["stripe"]["engaged"]
        assert "The stop of vendor stripe ended at its time" in text_of(client.get("/safety/"))


def test_it_shows_the_worst_breakers_first(cast: Cast, alice: Client) -> None:
    for name, state in (("acme", "half_open"), ("zeta", "open"), ("beta", "closed")):
        Vendor.objects.create(
            tenant=cast.meridian,
            name=name,
            breaker_state=state,
            breaker_changed_at=timezone.now(),
        )
    vendors = alice.get("/safety/").context["vendors"]
    assert [vendor.name for vendor in vendors] == ["zeta", "acme", "beta", "stripe"]
    assert "2 breakers not closed" in text_of(alice.get("/safety/"))


def test_it_keeps_a_viewers_hands_off(cast: Cast, alice: Client) -> None:
    response = cast.client_as("vera").post("/safety/stop", {"scope": "vendor", "target": "stripe"})
    assert response.status_code == 403
    assert not KillSwitch.objects.exists()


def test_a_responder_trips_and_resets_a_breaker(cast: Cast, alice: Client) -> None:
    body = {"vendor": "stripe", "state": "open", "reason": "They called us"}
    answer = alice.post("/safety/breaker", body)
    assert told(answer)[-1] == ("success", "The breaker of stripe is now open.")
    page = alice.get("/safety/")
    assert "alice moved breaker stripe to open : “They called us”" in text_of(page)
    assert "Open, probe in" in text_of(page)
    assert 'aria-label="Reset the breaker of stripe"' in page.content.decode()
    refused = alice.post("/safety/breaker", body | {"state": "closed", "reason": ""})
    assert told(refused)[-1] == ("error", "Say why, in at most 300 characters.")
    assert Vendor.objects.get(name="stripe").breaker_state == "open"
    alice.post("/safety/breaker", body | {"state": "closed"})
    assert 'aria-label="Trip the breaker of stripe"' in alice.get("/safety/").content.decode()


def test_a_viewer_sees_breakers_and_no_buttons(cast: Cast) -> None:
    vera = cast.client_as("vera")
    assert "Trip" not in text_of(vera.get("/safety/"))
    body = {"vendor": "stripe", "state": "open", "reason": "x"}
    assert vera.post("/safety/breaker", body).status_code == 403
    assert cast.client_as("mallory").post("/safety/breaker", body).status_code == 404
