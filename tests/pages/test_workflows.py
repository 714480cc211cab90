"""Pages of workflows: how each fares, one of them, its standby and the way back [U1 A1]."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from actions.models import Action
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.models import AuditEntry
from awfdrs_site.workflow_pages import traffic
from safety.models import AutomationPolicy
from safety.services import engage_switch
from tenants.models import Workflow
from tests.builders import an_event
from tests.cast import Cast
from tests.pages.looks import links_of, post_forms, text_of, told
from tests.pages.rows import an_incident_row
from tests.recoveries import a_recovery

HOUR = timedelta(hours=1)


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


@pytest.fixture
def failed_over(cast: Cast) -> str:
    """The page of payments.capture, which runs on its standby."""
    Workflow.objects.filter(pk=cast.capture.pk).update(
        standby_retry_url="http://standby.invalid/retry",
        failed_over_at=timezone.now() - HOUR,
        failed_over_by="INC-12",
    )
    return f"/workflows/{cast.capture.pk}/"


def test_it_counts_the_last_hour_and_day(cast: Cast) -> None:
    """By workflow and hour; what is older or another tenant's does not count."""
    now = timezone.now().replace(minute=45)
    for ago, kind in ((0, "failure"), (0, "success"), (1.5, "failure"), (23.5, "success")):
        an_event(cast.capture, kind, received_at=now - ago * HOUR)
    an_event(cast.capture, received_at=now - 25 * HOUR)
    an_event(cast.routing)
    found = traffic(cast.meridian, now)
    assert set(found) == {cast.capture.pk}
    assert (found[cast.capture.pk].hour, found[cast.capture.pk].day) == ((1, 2), (2, 4))
    assert found[cast.capture.pk].failed[-2:] == [1, 1]


def test_the_one_in_trouble_stands_first(cast: Cast, alice: Client) -> None:
    """Then by name; with its open incidents, its stop, and what its engine last said."""
    engage_switch(
        tenant=cast.meridian,
        scope="workflow",
        workflow=cast.contacts,
        actor=MACHINE,
        now=timezone.now(),
    )
    sync, capture = (f"/workflows/{row.pk}/" for row in (cast.contacts, cast.capture))
    answer = alice.get("/workflows/")
    assert [link for link in links_of(answer) if link.startswith("/w")] == [sync, capture]
    assert "Stopped crm.contact-sync" in text_of(answer)
    an_incident_row(cast.capture)
    answer = alice.get("/workflows/")
    assert [link for link in links_of(answer) if link.startswith("/w")] == [capture, sync]
    assert "1 open" in text_of(answer)


def test_it_says_what_the_engine_answered_last(
    cast: Cast, alice: Client, decided: Callable[..., Action]
) -> None:
    """Nothing yet, its answer, no answer; a retry of a month ago says nothing of today."""
    action = decided(cast.capture)
    page = f"/workflows/{cast.capture.pk}/"
    now = timezone.now()
    for sent_at, result, words in (
        (None, {}, "none sent in 7 days"),
        (now, {"status": 503}, "answered 503"),
        (now, {"status": 0, "detail": "Connection refused"}, "no answer"),
        (now - 30 * 24 * HOUR, {"status": 202}, "none sent in 7 days"),
    ):
        Action.objects.filter(pk=action.pk).update(sent_at=sent_at, result=result)
        for path in ("/workflows/", page):
            assert words in text_of(alice.get(path)), (path, words)


def test_it_shows_one_workflow_alone(cast: Cast, alice: Client) -> None:
    """Its incidents, recoveries, chart and policy; of its address just the host."""
    Workflow.objects.filter(pk=cast.capture.pk).update(
        retry_url="https://user:hunter2@engine.invalid:8443/retry?token=hunter3"
    )
    AutomationPolicy.objects.create(
        tenant=cast.meridian, workflow=cast.capture, confidence_threshold=0.93, dry_run=True
    )
    mine, other = an_incident_row(cast.capture), an_incident_row(cast.contacts)
    recovery = a_recovery(mine, "completed")
    for workflow in (cast.capture, cast.contacts):
        an_event(workflow, "success")
    answer = alice.get(f"/workflows/{cast.capture.pk}/")
    text, links = text_of(answer), links_of(answer)
    assert f"/incidents/{mine.pk}/" in links
    assert f"/incidents/{other.pk}/" not in links
    assert f"/recoveries/{recovery.pk}/" in links
    assert "1 event in the last hour" in text
    assert "this workflow's own" in text
    assert "0.93" in text
    assert "no, a dry run" in text
    assert "engine.invalid:8443" in text
    assert "hunter" not in answer.content.decode()
    assert f"/safety/stop?scope=workflow&target={cast.capture.pk}" in links


def test_a_responder_fails_it_back(cast: Cast, alice: Client, failed_over: str) -> None:
    """From its page and from the safety page; audited, and again nothing happens."""
    for path in (failed_over, "/safety/"):
        answer = alice.get(path)
        assert "payments.capture runs on its standby since" in text_of(answer)
        assert "INC-12" in text_of(answer)
        assert f"{failed_over}failback" in [form.action for form in post_forms(answer)]
    for _ in range(2):
        answer = alice.post(f"{failed_over}failback")
        assert (answer.status_code, answer.headers["Location"]) == (303, failed_over)
    assert told(answer)[-1] == (
        "success",
        "Retries of payments.capture go to its own engine again",
    )
    cast.capture.refresh_from_db()
    assert cast.capture.failed_over_at is None
    assert AuditEntry.objects.filter(verb="failed_back").count() == 1
    assert "standby since" not in text_of(alice.get("/safety/"))


def test_a_viewer_sees_it_and_cannot(cast: Cast, failed_over: str) -> None:
    """No button on either page, and the post is refused. Seen red without the scope."""
    vera = cast.client_as("vera")
    for path in (failed_over, "/safety/"):
        answer = vera.get(path)
        assert "runs on its standby" in text_of(answer)
        assert post_forms(answer) == []
    assert vera.post(f"{failed_over}failback").status_code == 403
    cast.capture.refresh_from_db()
    assert cast.capture.failed_over_at is not None


def test_another_tenants_workflow_is_not_there(cast: Cast, alice: Client) -> None:
    """Seen red with the tenant left out of the selector."""
    page = f"/workflows/{cast.routing.pk}/"
    assert alice.get(page).status_code == 404
    assert alice.post(f"{page}failback").status_code == 404


def test_many_rows_take_as_many_queries_as_few(
    cast: Cast, alice: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Four of its own for the list, eight for one workflow; the shell has the others."""
    alice.get("/workflows/")
    for count in (1, 9):
        for _ in range(count):
            an_event(cast.capture)
            a_recovery(an_incident_row(cast.capture))
            Workflow.objects.create(tenant=cast.meridian, name=f"more.{Workflow.objects.count()}")
        with django_assert_num_queries(12):
            alice.get("/workflows/")
        with django_assert_num_queries(16):
            alice.get(f"/workflows/{cast.capture.pk}/")
