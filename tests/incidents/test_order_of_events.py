"""Events that are handled late, or past each other by two workers, lead to the same end."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from awfdrs_site.kernel import work
from awfdrs_site.kernel.models import Work
from awfdrs_site.kernel.transition import lock
from incidents.detecting.detection import detect
from incidents.models import Incident
from tests.builders import a_workflow, an_event
from tests.threads import at_once

ORDER = {"resource_type": "order", "resource_id": "7"}


def run_detect() -> None:
    work.run_due("detect", detect)


@pytest.mark.django_db
def test_a_failure_after_the_success_reopens_however_late_both_are_handled() -> None:
    """Workers were away for ten minutes: the failure after the success is no late event.

    It happened before the success was handled, but after the success.
    """
    workflow, away = a_workflow(), timezone.now() - timedelta(minutes=10)
    an_event(workflow, received_at=away, **ORDER)
    run_detect()
    an_event(workflow, "success", received_at=away + timedelta(seconds=10), **ORDER)
    run_detect()
    assert Incident.objects.get().resolved_at == away + timedelta(seconds=10)
    an_event(workflow, received_at=away + timedelta(seconds=20), **ORDER)
    run_detect()
    incident = Incident.objects.get()
    assert (incident.status, incident.reopen_count) == ("new", 1)


@pytest.mark.django_db(transaction=True)
def test_a_success_waits_for_a_failure_that_is_still_being_handled() -> None:
    """One worker has the failure, another gets the success that came after: it heals, not falls.

    The incident is not committed when the success is looked at first.
    """
    workflow = a_workflow()
    failure = an_event(workflow, **ORDER)
    detected, looked = threading.Event(), threading.Event()

    def act(number: int) -> None:
        if number == 0:
            with transaction.atomic():
                row = Work.objects.select_for_update().get()
                detect([failure.pk], timezone.now())
                detected.set()
                assert looked.wait(20)
                row.delete()
        else:
            assert detected.wait(20)
            an_event(workflow, "success", **ORDER)
            run_detect()
            looked.set()

    assert at_once(2, act) == [None, None]
    assert Incident.objects.get().status == "new"
    Work.objects.update(due_at=timezone.now())
    run_detect()
    assert Incident.objects.get().status == "resolved"
    assert not Work.objects.filter(stage="detect").exists()


@pytest.mark.django_db
def test_a_success_waits_for_no_failure_that_cannot_be_handled() -> None:
    """A failure that made a worker stumble is tried again later and later; successes go on."""
    workflow = a_workflow()
    an_event(workflow, **ORDER)
    run_detect()
    an_event(workflow, error_code="stumbling")
    Work.objects.filter(stage="detect").update(
        attempts=3, due_at=timezone.now() + timedelta(minutes=5)
    )
    an_event(workflow, "success", **ORDER)
    run_detect()
    assert Incident.objects.get().status == "resolved"


@pytest.mark.django_db
def test_many_successes_of_healthy_resources_cost_as_much_as_one() -> None:
    """Most events are successes of things that never failed: no statement for each of them."""

    def statements(successes: int) -> int:
        workflow = a_workflow()
        an_event(workflow, **ORDER)
        run_detect()
        ids = [
            an_event(workflow, "success", resource_type="order", resource_id=f"fine-{n}").pk
            for n in range(successes)
        ]
        Work.objects.all().delete()
        seen: list[int] = []
        with connection.execute_wrapper(lambda run, *args: (seen.append(1), run(*args))[1]):
            detect(ids, timezone.now())
        return len(seen)

    assert statements(1) == statements(50)


@pytest.mark.django_db(transaction=True)
def test_a_success_waits_for_no_incident_out_of_its_reach() -> None:
    """Of a workflow's open incidents it locks those that it may heal; others are worked on.

    Seen red when every open incident of the workflow was locked.
    """
    workflow = a_workflow()
    an_event(workflow, error_code="one", **ORDER)
    an_event(workflow, error_code="two", resource_type="order", resource_id="8")
    run_detect()
    mine = Incident.objects.get(resources__resource_id="7")
    other = Incident.objects.get(resources__resource_id="8")
    an_event(workflow, "success", **ORDER)
    held, healed = threading.Event(), threading.Event()

    def act(number: int) -> None:
        if number == 0:
            with transaction.atomic():
                lock(other)
                held.set()
                assert healed.wait(9)
        else:
            assert held.wait(9)
            run_detect()
            healed.set()

    assert at_once(2, act) == [None, None]
    mine.refresh_from_db()
    assert mine.status == "resolved"
