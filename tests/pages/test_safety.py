"""The safety page: what is stopped, by whom; stopping asks first, resuming needs a reason [S6]."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from actions.controls.safety_pages import MOST_RUNNING, Lever, safety_page
from actions.models import Action
from awfdrs_site.kernel.actor import MACHINE, Actor
from safety.breakers import set_by_hand
from safety.models import KillSwitch, Vendor
from safety.services import engage_switch, release_switch
from safety.throttle import Throttle
from safety.throttling import throttle
from tenants.access import SCOPES_OF, Identity
from tenants.models import Workflow
from tests.cast import Cast
from tests.pages.looks import Answer, links_of, post_forms, text_of, told

Decided = Callable[..., Action]


@pytest.fixture
def alice(cast: Cast) -> Client:
    Vendor.objects.create(tenant=cast.meridian, name="stripe")
    return cast.client_as("alice")


def stop(client: Client, **fields: str) -> Answer:
    response = client.post("/safety/stop", fields)
    assert response.status_code == 303
    assert response.headers["Location"] == "/safety/"
    return response


def asked(client: Client) -> list[str]:
    """Where the page's Stop buttons lead."""
    return [link for link in links_of(client.get("/safety/")) if "/safety/stop?" in link]


def levers(client: Client) -> dict[str, Lever]:
    return {lever.label: lever for lever in client.get("/safety/").context["levers"]}


def test_it_asks_before_it_stops_each_thing(cast: Cast, alice: Client) -> None:
    """Each lever's question, posted as it stands, stops what stands beside it; asking changes
    nothing."""
    wanted = {
        ("tenant", str(cast.meridian.pk)): "all of Meridian Commerce",
        ("workflow", str(cast.capture.pk)): "workflow payments.capture",
        ("workflow", str(cast.contacts.pk)): "workflow crm.contact-sync",
        ("vendor", "stripe"): "vendor stripe",
        ("action", "retry"): "all retries",
    }
    questions = {}
    for link in asked(alice):
        query = parse_qs(urlsplit(link).query)
        questions[query["scope"][0], query["target"][0]] = link
    assert set(questions) == set(wanted)
    for key, words in wanted.items():
        question = alice.get(questions[key])
        assert f"Stop automation for {words}?" in text_of(question)
        assert not KillSwitch.objects.filter(
            scope=key[0], workflow_id=key[1] if key[0] == "workflow" else None
        ).exists()
        [form] = post_forms(question)
        response = stop(alice, **form.fields | {"minutes": ""})
        assert told(response)[-1] == ("success", f"Stopped: {words}")
        switch = KillSwitch.objects.latest("engaged_at")
        assert (switch.target(), switch.blocks, switch.expires_at) == (words, "automation", None)
        assert switch.engaged_by == "alice"
        assert alice.get(questions[key]).headers["Location"] == f"/safety/{switch.pk}/"
    assert asked(alice) == []


def test_it_tells_what_a_stop_means_before_it_is_made(
    cast: Cast, alice: Client, decided: Decided
) -> None:
    """What is in flight with its incident, what waits for a person, what goes on."""
    out = decided(cast.capture, error_code="payment_timeout", vendor="stripe")
    Action.objects.filter(pk=out.pk).update(
        status="verifying", sent_at=timezone.now(), expires_at=None
    )
    decided(cast.contacts, error_code="payment_timeout", vendor="stripe")
    page = alice.get("/safety/stop?scope=vendor&target=Stripe")
    text = text_of(page)
    assert "New recoveries of crm.contact-sync, payments.capture" in text
    assert f"{out.incident.label} on payments.capture, sent" in text
    assert f"/incidents/{out.incident_id}/" in links_of(page)
    assert "1 approval is kept, but does not run until you resume." in text
    assert "Ingestion, detection, analysis, escalations, and everything else." in text
    other = text_of(alice.get(f"/safety/stop?scope=workflow&target={cast.contacts.pk}"))
    assert "Nothing." in other
    assert out.incident.label not in other


def test_it_offers_what_is_not_listed(cast: Cast, alice: Client) -> None:
    """The page lists some of what runs and all that is stopped; the question lists all."""
    names = [f"flow.{number:02}" for number in range(MOST_RUNNING + 3)]
    rows = [Workflow(tenant=cast.meridian, name=name) for name in names]
    Workflow.objects.bulk_create(rows)
    last = Workflow.objects.get(name=names[-1])
    engage_switch(
        tenant=cast.meridian, scope="workflow", workflow=last, actor=MACHINE, now=timezone.now()
    )
    shown = [lever.label for lever in levers(alice).values() if lever.scope == "workflow"]
    assert len(shown) == MOST_RUNNING + 1
    assert names[-1] in shown
    assert "4 more run." in text_of(alice.get("/safety/"))
    groups = dict(alice.get("/safety/stop").context["groups"])
    assert {lever.label for lever in groups["Workflow"]} == {
        *names[:-1],
        "payments.capture",
        "crm.contact-sync",
    }
    assert "Global" not in groups


def test_it_stops_with_a_reason_for_a_time(cast: Cast, alice: Client) -> None:
    """The question's form: what, how long, why."""
    with time_machine.travel(timezone.now(), tick=False):
        stop(alice, scope_target="vendor:stripe", minutes="30", reason="Odd refunds")
        switch = KillSwitch.objects.get()
        assert switch.expires_at == timezone.now() + timedelta(minutes=30)
    text = text_of(alice.get("/safety/"))
    assert "alice stopped vendor stripe : “Odd refunds”" in text
    assert "ends in" in text


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
    assert alice.get("/safety/stop?scope=global").status_code == 403
    assert "/safety/stop?scope=global&target=" not in asked(alice)
    assert cast.client_as("anna").post("/safety/stop", {"scope": "global"}).status_code == 403
    olga = cast.client_as("olga")
    assert "/safety/stop?scope=global&target=" in asked(olga)
    stop(olga, scope="global", target="")
    assert KillSwitch.objects.get().tenant is None
    assert "Automation is stopped" in text_of(alice.get("/safety/"))
    resume = f"/safety/{KillSwitch.objects.get().pk}/resume"
    assert alice.get(resume).status_code == 403
    assert alice.post(resume, {"reason": "x"}).status_code == 403
    assert olga.post(resume, {"reason": "Over"}).status_code == 303
    assert KillSwitch.objects.get().released_by == "olga"


@pytest.mark.parametrize("scope", ["tenant", "workflow"])
def test_it_stops_nothing_of_another_tenant(cast: Cast, alice: Client, scope: str) -> None:
    """Also not from a tab that was open before the tenant was switched. Seen red without."""
    target = cast.northwind.pk if scope == "tenant" else cast.routing.pk
    assert alice.post("/safety/stop", {"scope": scope, "target": target}).status_code == 404
    assert alice.post("/safety/stop", {"scope": scope, "target": "x"}).status_code == 404
    assert alice.get(f"/safety/stop?scope={scope}&target={target}").status_code == 404
    assert not KillSwitch.objects.exists()


def test_it_resumes_with_a_reason_only(cast: Cast, alice: Client) -> None:
    stop(alice, scope="vendor", target="stripe")
    switch = KillSwitch.objects.get()
    resume = f"/safety/{switch.pk}/resume"
    assert resume in links_of(alice.get("/safety/"))
    assert [form.action for form in post_forms(alice.get(resume))] == [resume]
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
    """A vendor that was never seen has one while it is stopped. A stop moves no row."""
    now = timezone.now()
    engage_switch(tenant=cast.meridian, scope="vendor", vendor="Acme", actor=MACHINE, now=now)
    engage_switch(
        tenant=cast.meridian, scope="workflow", workflow=cast.capture, actor=MACHINE, now=now
    )
    rows = alice.get("/safety/").context["levers"]
    assert [(row.scope, row.label, bool(row.engaged)) for row in rows] == [
        ("global", "Every tenant, workflow and vendor", False),
        ("tenant", "Meridian Commerce", False),
        ("workflow", "crm.contact-sync", False),
        ("workflow", "payments.capture", True),
        ("vendor", "Acme", True),
        ("vendor", "stripe", False),
        ("action", "Retries", False),
    ]


def test_it_forgets_a_stop_at_its_time(cast: Cast, alice: Client) -> None:
    """The expiry is looked at, not waited for; history says that it ended by itself."""
    stop(alice, scope_target="vendor:stripe", minutes="15")
    ends = KillSwitch.objects.get().expires_at
    assert ends is not None
    assert levers(alice)["stripe"].engaged
    with time_machine.travel(ends + timedelta(seconds=1), tick=False):
        client = cast.client_as("alice")
        assert not levers(client)["stripe"].engaged
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
    """Every fact, no button; and one line says who can give the role."""
    stop(alice, scope="vendor", target="stripe")
    switch = KillSwitch.objects.get()
    vera = cast.client_as("vera")
    page = vera.get("/safety/")
    assert "Stopped stripe" in text_of(page)
    assert "anna can give you the responder role" in text_of(page)
    assert post_forms(page) == post_forms(vera.get(f"/safety/{switch.pk}/")) == []
    for path in ("stop", "breaker", f"{switch.pk}/resume", f"{switch.pk}/extend"):
        assert f"/safety/{path}" not in [urlsplit(link).path for link in links_of(page)]
        assert vera.get(f"/safety/{path}").status_code == 403, path
    response = vera.post("/safety/stop", {"scope": "vendor", "target": "stripe"})
    assert response.status_code == 403
    assert KillSwitch.objects.count() == 1


@pytest.fixture
def skipped(cast: Cast, alice: Client, decided: Decided) -> tuple[str, list[Action]]:
    """The page of a stop of the tenant, and the three recoveries that it skipped."""
    stop(alice, scope="tenant", target=str(cast.meridian.pk))
    actions = [
        decided(workflow, error_code=code)
        for workflow, code in (
            (cast.capture, "payment_timeout"),
            (cast.contacts, "payment_timeout"),
            (cast.capture, "gateway_timeout"),
        )
    ]
    assert [action.status for action in actions] == ["blocked"] * 3
    return f"/safety/{KillSwitch.objects.get().pk}/", actions


def statuses(actions: list[Action]) -> list[str]:
    return [Action.objects.get(pk=action.pk).status for action in actions]


def test_it_runs_only_what_a_person_ticks(alice: Client, skipped: tuple[str, list[Action]]) -> None:
    """Resuming leads to what was skipped; nothing of it is ticked, and nothing runs unasked. What
    nobody decided on stays on the safety page, and in the history."""
    page, actions = skipped
    assert "3 recoveries were skipped." in text_of(alice.get(f"{page}resume"))
    answer = alice.post(f"{page}resume", {"reason": "Over"})
    assert answer.headers["Location"] == page
    shown = alice.get(page)
    assert "3 skipped recoveries to decide on" in text_of(shown)
    boxes = re.findall(r'<input[^>]*name="action"[^>]*>', shown.content.decode())
    assert len(boxes) == 3
    assert not any("checked" in box for box in boxes)
    assert statuses(actions) == ["blocked"] * 3
    first, second, third = (str(action.pk) for action in actions)
    ran = alice.post(f"{page}skipped", {"do": "run", "action": [first]})
    assert told(ran)[-1] == ("success", "1 will run, each through the gate.")
    assert ran.headers["Location"] == page
    assert statuses(actions) == ["planned", "blocked", "blocked"]
    safety = alice.get("/safety/")
    assert "2 recoveries were skipped while all of Meridian Commerce was stopped." in text_of(
        safety
    )
    dropped = alice.post(f"{page}skipped", {"do": "drop", "action": [first, second]})
    assert told(dropped)[-1] == ("success", "1 dropped, 1 decided already.")
    alice.post(f"{page}skipped", {"do": "drop", "action": [third]})
    assert statuses(actions) == ["planned", "cancelled", "cancelled"]
    assert "All were decided on." in text_of(alice.get(page))
    safety = alice.get("/safety/")
    assert "was stopped. None runs" not in text_of(safety)
    assert page in links_of(safety)
    assert "3 skipped." in text_of(alice.get("/safety/stops"))


def test_it_runs_nothing_while_it_is_stopped(
    alice: Client, skipped: tuple[str, list[Action]]
) -> None:
    page, actions = skipped
    text = text_of(alice.get(page))
    assert "They can run once it is resumed." in text
    assert "Run selected" not in text
    refused = alice.post(f"{page}skipped", {"do": "run", "action": [str(actions[0].pk)]})
    assert told(refused)[-1][0] == "error"
    assert statuses(actions) == ["blocked"] * 3


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"do": "run"},
        {"do": "run", "action": ["x"]},
        {"do": "delete", "action": ["00000000-0000-0000-0000-00000000dead"]},
        {"do": "drop", "action": ["00000000-0000-0000-0000-00000000dead"]},
        {"action": ["00000000-0000-0000-0000-00000000dead"]},
    ],
)
def test_it_refuses_a_choice_that_is_none(
    alice: Client, skipped: tuple[str, list[Action]], fields: dict[str, list[str]]
) -> None:
    page, actions = skipped
    assert told(alice.post(f"{page}skipped", fields))[-1][0] == "error"
    assert statuses(actions) == ["blocked"] * 3


def test_it_lets_a_stop_end_later(cast: Cast, alice: Client) -> None:
    """By so many minutes more, or not by itself; then there is nothing to extend."""
    stop(alice, scope_target="vendor:stripe", minutes="15")
    before = KillSwitch.objects.get()
    assert before.expires_at
    extend = f"/safety/{before.pk}/extend"
    assert extend in links_of(alice.get("/safety/"))
    assert "It ends by itself in" in text_of(alice.get(extend))
    alice.post(extend, {"minutes": "30"})
    assert KillSwitch.objects.get().expires_at == before.expires_at + timedelta(minutes=30)
    for minutes in ("x", "0", "-1", "99999"):
        assert told(alice.post(extend, {"minutes": minutes}))[-1][0] == "error", minutes
    alice.post(extend, {"minutes": ""})
    assert KillSwitch.objects.get().expires_at is None
    assert extend not in links_of(alice.get("/safety/"))
    alice.post(f"/safety/{before.pk}/resume", {"reason": "Over"})
    assert alice.post(extend, {"minutes": "5"}).headers["Location"] == f"/safety/{before.pk}/"


def test_it_needs_the_same_few_queries_whatever_has_happened(cast: Cast, alice: Client) -> None:
    """At most eight for all that the page itself shows."""

    identity = Identity(cast.meridian, MACHINE, SCOPES_OF["responder"])

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            safety_page(identity, timezone.now())
        return len(found)

    stop(alice, scope="vendor", target="stripe")
    few, now = queries(), timezone.now()
    for number in range(6):
        vendor = Vendor.objects.create(tenant=cast.meridian, name=f"vendor-{number}")
        set_by_hand(vendor=vendor, to="open", reason="x", actor=MACHINE, now=now)
        switch = engage_switch(
            tenant=cast.meridian, scope="vendor", vendor=vendor.name, actor=MACHINE, now=now
        )
        release_switch(switch=switch, reason="x", actor=MACHINE, now=now)
    assert queries() == few <= 8


def test_a_responder_trips_and_resets_a_breaker(cast: Cast, alice: Client) -> None:
    """Both ask for a reason; the buttons are the steps that the breaker may take."""
    question = alice.get("/safety/breaker?vendor=stripe&state=open")
    assert "Trip the breaker of stripe?" in text_of(question)
    [form] = post_forms(question)
    body = form.fields | {"reason": "They called us"}
    answer = alice.post("/safety/breaker", body)
    assert told(answer)[-1] == ("success", "The breaker of stripe is now open.")
    page = alice.get("/safety/")
    assert "alice moved breaker stripe to open : “They called us”" in text_of(page)
    assert "Open, probe in" in text_of(page)
    assert "/safety/breaker?vendor=stripe&state=closed" in links_of(page)
    assert "/safety/breaker?vendor=stripe&state=open" not in links_of(page)
    refused = alice.post("/safety/breaker", body | {"state": "closed", "reason": ""})
    assert told(refused)[-1] == ("error", "Say why, in at most 300 characters.")
    assert Vendor.objects.get(name="stripe").breaker_state == "open"
    alice.post("/safety/breaker", body | {"state": "closed"})
    assert "/safety/breaker?vendor=stripe&state=open" in links_of(alice.get("/safety/"))


def test_it_probes_at_once_without_a_question(cast: Cast, alice: Client) -> None:
    """An open breaker comes to that by itself, only later."""
    body = {"vendor": "stripe", "state": "open", "reason": "x"}
    assert post_forms(alice.get("/safety/")) == []
    alice.post("/safety/breaker", body)
    [form] = post_forms(alice.get("/safety/"))
    alice.post(form.action, form.fields)
    text = text_of(alice.get("/safety/"))
    assert "Half-open, 0 of 3 passed" in text
    assert "Probe now" not in text


@pytest.mark.parametrize("state", ["", "half_open", "ajar"])
def test_it_asks_nothing_about_a_state_nobody_sets(cast: Cast, alice: Client, state: str) -> None:
    assert alice.get(f"/safety/breaker?vendor=stripe&state={state}").status_code == 400
    assert alice.get("/safety/breaker?vendor=acme&state=open").status_code == 404


def test_a_viewer_sees_breakers_and_no_buttons(cast: Cast) -> None:
    vera = cast.client_as("vera")
    assert "Trip" not in text_of(vera.get("/safety/"))
    body = {"vendor": "stripe", "state": "open", "reason": "x"}
    assert vera.post("/safety/breaker", body).status_code == 403
    assert cast.client_as("mallory").post("/safety/breaker", body).status_code == 404


def test_a_responder_ends_a_throttle(cast: Cast, alice: Client) -> None:
    """Its gauge says how slow, until when and for what; a viewer has no button."""
    vendor, now = Vendor.objects.get(name="stripe"), timezone.now()
    slow = Throttle(30, now + timedelta(minutes=10), "INC-12", "")
    throttle(vendor=vendor, new=slow, actor=MACHINE, now=now)
    page = alice.get("/safety/")
    assert re.search(r"throttled to 30 a minute until \S+ ?, by INC-12", text_of(page))
    vera = cast.client_as("vera")
    assert "throttled to 30" in text_of(vera.get("/safety/"))
    assert vera.post("/safety/unthrottle", {"vendor": "stripe"}).status_code == 403
    [form] = [form for form in post_forms(page) if form.action == "/safety/unthrottle"]
    answer = alice.post(form.action, form.fields)
    assert told(answer)[-1] == ("success", "Calls to stripe are throttled no more.")
    assert "throttled" not in text_of(alice.get("/safety/"))
    assert alice.post("/safety/unthrottle", {"vendor": "acme"}).status_code == 404
