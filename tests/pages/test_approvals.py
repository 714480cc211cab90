"""The approvals and actions pages: decide with one click, know who was first [A4 S8]."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from actions.models import Action
from actions.plans.services import begin
from actions.plans.stage import recover
from actions.plans.templates import save_plan
from actions.previewing import preview_of
from actions.services import request_action
from ai.services import remember
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import MACHINE, Actor
from incidents.models import FailingResource, Incident
from safety.models import AutomationPolicy
from safety.services import engage_switch
from tenants.models import Membership, Role, Workflow
from tests.cast import Cast
from tests.pages.looks import Answer, post_forms, text_of, told


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


def decide(client: Client, action: Action, verb: str, **fields: str) -> Answer:
    response = client.post(f"/actions/{action.pk}/{verb}", fields)
    assert response.status_code == 303
    assert response.headers["Location"] == "/approvals/"
    action.refresh_from_db()
    return response


def test_it_shows_all_there_is_to_decide_on(cast: Cast, alice: Client, waiting: Action) -> None:
    """The act, why, how sure against which line, what it touches, and how it went before."""
    for number in range(11):
        FailingResource.objects.create(
            incident=waiting.incident,
            resource_type="order",
            resource_id=f"o-{number}",
            failed_at=timezone.now(),
        )
    remember(waiting.incident, "retry", "succeeded", timezone.now(), seconds_to_recover=30.0)
    remember(waiting.incident, "retry", "failed", timezone.now())
    text = text_of(alice.get("/approvals/"))
    for words in (
        "Retry what failed in payments.capture",
        "Expires in",
        "short",
        "auto line 1.00",
        "1 of 2 worked",
        "Runs again 12 failed runs",
        "Calls stripe",
        f"Attempt 1 of {waiting.max_attempts}",
        "is under the line of 1.00",
    ):
        assert words in text, words


def test_it_takes_the_workflows_own_line_before_the_tenants(
    cast: Cast, alice: Client, waiting: Action
) -> None:
    """As the gate does: workflow, then tenant, then the default."""
    AutomationPolicy.objects.update_or_create(
        tenant=None, workflow=None, defaults={"confidence_threshold": 0.3}
    )
    assert alice.get("/approvals/").context["cards"][0].threshold == 1.0
    AutomationPolicy.objects.create(
        tenant=cast.meridian, workflow=cast.capture, confidence_threshold=0.9
    )
    assert alice.get("/approvals/").context["cards"][0].threshold == 0.9


def test_it_approves_with_one_click(cast: Cast, alice: Client, waiting: Action) -> None:
    forms = {form.action for form in post_forms(alice.get("/approvals/"))}
    assert f"/actions/{waiting.pk}/approve" in forms
    response = decide(alice, waiting, "approve")
    assert waiting.status == "planned"
    assert waiting.decided_by == cast.people["alice"]
    assert told(response)[0][0] == "success"
    assert alice.get("/approvals/").context["cards"] == []


def test_it_rejects_with_a_cause_and_a_comment(cast: Cast, alice: Client, waiting: Action) -> None:
    decide(alice, waiting, "reject", cause="Wrong cause", comment="The card is stolen")
    assert waiting.status == "rejected"
    assert waiting.decision_comment == "Wrong cause: The card is stolen"
    text = text_of(alice.get("/approvals/"))
    assert "Rejected" in text
    assert "“Wrong cause: The card is stolen”" in text


@pytest.mark.parametrize(("first", "word"), [("approve", "approved"), ("reject", "rejected")])
def test_it_tells_the_second_who_was_first(
    cast: Cast, alice: Client, waiting: Action, first: str, word: str
) -> None:
    """The first decision stands, whatever the second wanted."""
    decide(cast.client_as("anna"), waiting, first, cause="Other")
    status = waiting.status
    second = "reject" if first == "approve" else "approve"
    response = decide(alice, waiting, second, cause="Other")
    assert told(response) == [("error", f"anna decided first: {word}")]
    assert waiting.status == status


def test_it_decides_nothing_for_who_lost_the_role(
    cast: Cast, alice: Client, waiting: Action
) -> None:
    """Between the page and the click: 403, and it waits on."""
    form = next(
        form for form in post_forms(alice.get("/approvals/")) if form.action.endswith("/approve")
    )
    alice_of = Membership.objects.filter(user=cast.people["alice"], tenant=cast.meridian)
    alice_of.update(role=Role.VIEWER)
    assert alice.post(form.action).status_code == 403
    waiting.refresh_from_db()
    assert waiting.status == "waiting"


def test_it_sends_what_was_seen(cast: Cast, alice: Client, waiting: Action) -> None:
    """Every form that approves carries the hash; an old one is refused in words."""
    page = alice.get("/approvals/")
    seen = preview_of(waiting, timezone.now()).hash
    assert page.content.decode().count(f'name="preview_hash" value="{seen}"') == 2
    assert "Exactly what runs" in text_of(page)
    assert "POST http://engine.invalid/retry" in text_of(page)
    Workflow.objects.filter(pk=cast.capture.pk).update(retry_url="http://other.invalid/retry")
    response = decide(alice, waiting, "approve", preview_hash=seen)
    assert "has changed since you looked" in told(response)[0][1]
    assert waiting.status == "waiting"


def test_it_is_taken_back_in_place(cast: Cast, alice: Client, waiting: Action) -> None:
    """The card gives way to a line with the button; then the card is there again."""
    decide(alice, waiting, "approve")
    page = alice.get("/approvals/")
    assert [row.pk for row in page.context["starting"]] == [waiting.pk]
    assert f"/actions/{waiting.pk}/take-back" in {form.action for form in post_forms(page)}
    decide(alice, waiting, "take-back")
    page = alice.get("/approvals/")
    assert (page.context["starting"], [card.pk for card in page.context["cards"]]) == (
        [],
        [waiting.pk],
    )


def test_it_says_that_one_more_must_approve(cast: Cast, alice: Client, waiting: Action) -> None:
    Incident.objects.filter(pk=waiting.incident_id).update(severity="critical")
    assert "Two people must approve this" in text_of(alice.get("/approvals/"))
    decide(alice, waiting, "approve")
    assert "1 of 2: alice approved, one more person is needed" in text_of(alice.get("/approvals/"))
    decide(cast.client_as("anna"), waiting, "approve")
    assert (waiting.status, waiting.decided_by_name) == ("planned", "alice and anna")


PLAN = """\
name: hold
title: Hold the workflow
approval: always
steps:
  - parallel:
      - key: pause
        kind: pause_workflow
        with: {seconds: 1800}
        editable: {seconds: {min: 60, max: 3600}}
      - {key: also, kind: pause_workflow, with: {seconds: 60}}
"""


@pytest.fixture
def planned(cast: Cast, incident_of: Callable[..., Incident]) -> Action:
    """Of a plan whose two first steps wait: the earlier one."""
    template = save_plan(tenant=cast.meridian, source=PLAN, actor=MACHINE, now=timezone.now())
    incident = incident_of(cast.capture, error_code="hold_a", message="Held")
    begin(incident, decision=None, template=template, now=timezone.now())
    work.run_due("recover", recover)
    first, _ = Action.objects.exclude(step="").order_by("pk")
    return first


def test_a_plan_is_one_card_and_one_decision(cast: Cast, alice: Client, planned: Action) -> None:
    """However many of its steps wait; the navigation and the API count it once too.

    Seen red without `still_to_decide`: two of each.
    """
    page = alice.get("/approvals/")
    assert [card.pk for card in page.context["cards"]] == [planned.pk]
    assert page.context["shell"].counts["approvals"] == 1
    assert len(cast.api().get("/api/v1/approvals").json()["results"]) == 1
    decide(alice, planned, "approve", preview_hash=preview_of(planned, timezone.now()).hash)
    assert set(Action.objects.values_list("status", flat=True)) == {"planned"}
    page = alice.get("/approvals/")
    assert (page.context["cards"], len(page.context["starting"])) == ([], 1)
    assert page.context["today"]["decided"] == 1


def test_it_edits_without_script(alice: Client, planned: Action) -> None:
    """The fields stand in the card's own form, with what is allowed; a value outside is refused."""
    page = alice.get("/approvals/")
    assert "was 1,800, allowed 60 to 3,600" in text_of(page)
    seen = preview_of(planned, timezone.now()).hash
    edits = {"preview_hash": seen, "set.pause.seconds": "59"}
    assert told(decide(alice, planned, "approve", **edits)) == [("error", "Allowed: 60 to 3,600.")]
    assert planned.status == "waiting"
    decide(alice, planned, "approve", **edits | {"set.pause.seconds": "600"})
    assert (planned.status, planned.parameters) == ("planned", {"seconds": 600})


def test_it_keeps_the_place_of_what_was_approved(
    cast: Cast, alice: Client, waiting: Action, planned: Action
) -> None:
    """Its line stands where its card stood; the key takes back what was approved last."""
    seen = preview_of(planned, timezone.now()).hash
    decide(alice, planned, "approve", preview_hash=seen)
    page = alice.get("/approvals/")
    assert [row.pk for row in page.context["queue"]] == [waiting.pk, planned.pk]
    decide(alice, waiting, "approve")
    page = alice.get("/approvals/")
    assert [row.pk for row in page.context["queue"]] == [waiting.pk, planned.pk]
    assert page.context["last_approved"] == waiting.pk
    assert page.content.decode().count('data-key="u"') == 1


def test_it_shows_what_a_person_asked_for(
    cast: Cast, alice: Client, incident_of: Callable[..., Incident]
) -> None:
    """Without a decision of automation there is no confidence; the card says who asked."""
    Workflow.objects.update(retry_url="http://engine.invalid/retry")
    incident = incident_of(cast.capture, message="Held")
    AutomationPolicy.objects.create(tenant=cast.meridian, second_approver="always")
    anna = Actor("person", "anna", cast.people["anna"].pk)
    request_action(incident=incident, kind="retry", actor=anna, now=timezone.now())
    text = text_of(alice.get("/approvals/"))
    assert "anna asked for it." in text
    assert "Two people must approve this" in text


@pytest.mark.parametrize("delay", ["x", "-1", "3601", "nan", "inf"])
def test_it_refuses_a_delay_out_of_range(alice: Client, waiting: Action, delay: str) -> None:
    response = decide(alice, waiting, "approve", delay_seconds=delay)
    assert told(response)[0][0] == "error"
    assert waiting.status == "waiting"


def test_it_rejects_with_a_reason_only(alice: Client, waiting: Action) -> None:
    assert told(decide(alice, waiting, "reject"))[0] == ("error", "A rejection needs a reason.")
    assert waiting.status == "waiting"


def test_it_decides_nothing_after_the_expiry(cast: Cast, alice: Client, waiting: Action) -> None:
    assert waiting.expires_at is not None
    with time_machine.travel(waiting.expires_at + timedelta(seconds=1), tick=False):
        assert alice.get("/approvals/").context["cards"] == []
        response = decide(alice, waiting, "approve")
    assert told(response)[0] == ("error", "This approval has expired; nothing will run.")
    assert waiting.status == "waiting"


def test_it_sorts_by_expiry_or_severity(
    cast: Cast, alice: Client, decided: Callable[..., Action], waiting: Action
) -> None:
    other = decided(cast.contacts, error_code="crm_down", message="No route to host")
    Action.objects.filter(pk=other.pk).update(
        status="waiting", expires_at=timezone.now() + timedelta(hours=1)
    )
    Incident.objects.filter(pk=other.incident_id).update(severity="critical")
    Incident.objects.filter(pk=waiting.incident_id).update(severity="low")
    by_expiry = [card.pk for card in alice.get("/approvals/").context["cards"]]
    by_severity = [card.pk for card in alice.get("/approvals/?sort=severity").context["cards"]]
    assert by_expiry == [waiting.pk, other.pk]
    assert by_severity == [other.pk, waiting.pk]


def test_it_sums_up_the_day(cast: Cast, alice: Client, waiting: Action) -> None:
    """Approvals only: what ran by itself or was asked for by hand is not a decision."""
    with time_machine.travel(waiting.created_at + timedelta(seconds=90), tick=False):
        decide(alice, waiting, "approve")
        today = alice.get("/approvals/").context["today"]
    assert (today["decided"], today["approved"], today["rejected"]) == (1, 1, 0)
    assert today["median_wait_seconds"] == timedelta(seconds=90)
    assert today["verified"] == 0
    Action.objects.update(status="succeeded")
    assert alice.get("/approvals/").context["today"]["verified"] == 1
    Action.objects.update(expires_at=None)
    assert alice.get("/approvals/").context["today"]["decided"] == 0


def test_it_says_that_nothing_waits(cast: Cast, alice: Client) -> None:
    assert "Nothing waits for you" in text_of(alice.get("/approvals/"))


def test_it_lists_actions_by_their_state(cast: Cast, alice: Client, waiting: Action) -> None:
    """Tabs are links; what is not over yet is counted."""
    response = alice.get("/actions/")
    counts = {view["label"]: view["count"] for view in response.context["views"]}
    assert counts["Needs approval"] == 1
    assert counts["In flight"] == 0
    assert counts["All"] is None
    assert [row.pk for row in response.context["actions"]] == [waiting.pk]
    assert list(alice.get("/actions/?status=failed,expired").context["actions"]) == []
    assert [row.pk for row in alice.get("/actions/?status=waiting").context["actions"]] == [
        waiting.pk
    ]
    decide(alice, waiting, "reject", cause="Other")
    assert "Rejected by alice" in text_of(alice.get("/actions/"))


def test_it_pages_actions(cast: Cast, alice: Client, waiting: Action) -> None:
    fields = {f.attname: getattr(waiting, f.attname) for f in Action._meta.fields}
    for _ in range(4):
        Action.objects.create(**fields | {"id": Action().pk, "status": "cancelled"})
    seen, url = [], "?page_size=2"
    while url:
        context = alice.get(f"/actions/{url}").context
        seen += [row.pk for row in context["actions"]]
        url = context["older_url"]
    assert seen == list(Action.objects.order_by("-id").values_list("pk", flat=True))


def test_it_asks_the_database_equally_often_for_more_cards(
    cast: Cast, alice: Client, decided: Callable[..., Action], waiting: Action
) -> None:
    """No query per card; at most 12 beside the sign-in."""

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert alice.get("/approvals/").status_code == 200
        return len(found)

    alice.get("/approvals/")
    one = queries()
    for number in range(4):
        decided(cast.contacts, error_code=f"code_{number}", message="No")
    Action.objects.update(status="waiting", expires_at=timezone.now() + timedelta(hours=1))
    assert len(alice.get("/approvals/").context["cards"]) == 5
    assert queries() == one
    assert one - 3 <= 14


def test_it_says_what_a_stop_holds(cast: Cast, alice: Client, waiting: Action) -> None:
    """The banner on every page counts the actions that the switches keep from starting."""
    now = timezone.now()
    page = alice.get("/approvals/")
    assert page.context["shell"].stops == []
    engage_switch(tenant=cast.meridian, scope="vendor", vendor="STRIPE", actor=MACHINE, now=now)
    page = alice.get("/approvals/")
    assert page.context["shell"].held == 1
    assert "stopped for vendor STRIPE" in text_of(page)
    assert "1 action held" in text_of(page)
