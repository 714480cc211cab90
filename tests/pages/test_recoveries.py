"""Pages of recoveries: all failed ones of last week, one step by step, taking it back [A3]."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from actions.catalog import kinds
from actions.models import Recovery
from tests.cast import Cast
from tests.pages.looks import links_of, post_forms, text_of, told
from tests.pages.rows import an_incident_row
from tests.recoveries import a_plan, a_recovery, an_attempt

DAY = timedelta(days=1)
FAILED_LAST_WEEK = "?state=failed%2Crolled_back&since=7d"


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client_as("alice")


def shown(client: Client, query: str = "") -> set[str]:
    """The recoveries that the list links to."""
    answer = client.get(f"/recoveries/{query}")
    assert answer.status_code == 200, answer.content
    return {link.split("/")[2] for link in links_of(answer) if link.count("/") == 3}


def test_all_failed_of_last_week_is_one_link(alice: Client, cast: Cast) -> None:
    """Failed ones and those that were rolled back, of seven days; the link stands on the page."""
    now, incident = timezone.now(), an_incident_row(cast.capture)
    a_recovery(incident, "failed", created_at=now - 8 * DAY)
    failed = a_recovery(incident, "failed", created_at=now - 6 * DAY)
    back = a_recovery(incident, "rolled_back", created_at=now - DAY)
    a_recovery(incident, "completed")
    a_recovery(an_incident_row(cast.routing), "failed")
    assert FAILED_LAST_WEEK in links_of(alice.get("/recoveries/"))
    assert shown(alice, FAILED_LAST_WEEK) == {str(failed.pk), str(back.pk)}
    assert shown(alice, "?state=failed&since=24h") == set()
    assert len(shown(alice)) == 4


def test_it_narrows_to_a_plan(alice: Client, cast: Cast) -> None:
    """The chip offers the tenant's plans, and no other tenant's."""
    own = a_plan(cast.meridian, name="meridians")
    a_plan(cast.northwind, name="northwinds")
    incident = an_incident_row(cast.capture)
    wanted = a_recovery(incident, plan=own)
    a_recovery(incident)
    assert shown(alice, "?plan=meridians") == {str(wanted.pk)}
    assert "northwinds" not in alice.get("/recoveries/").content.decode()


@pytest.mark.parametrize("query", ["?state=broken", "?since=yesterday", "?state=failed,broken"])
def test_a_filter_that_means_nothing_is_refused(alice: Client, query: str) -> None:
    assert alice.get(f"/recoveries/{query}").status_code == 400


def test_it_says_why_it_is_empty(alice: Client, cast: Cast) -> None:
    """Nothing yet, nothing failed, nothing fits: three different things."""
    assert "No recovery yet" in text_of(alice.get("/recoveries/"))
    a_recovery(an_incident_row(cast.capture))
    assert "No recovery failed" in text_of(alice.get(f"/recoveries/{FAILED_LAST_WEEK}"))
    assert "No recovery matches" in text_of(alice.get("/recoveries/?plan=none"))


def test_many_rows_take_as_many_queries_as_few(
    alice: Client, cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    incident = an_incident_row(cast.capture)
    plan = a_plan(cast.meridian)
    alice.get("/recoveries/")
    for count in (1, 12):
        for _ in range(count):
            an_attempt(a_recovery(incident, plan=plan), "drain")
        with django_assert_num_queries(12):
            alice.get("/recoveries/")


def test_it_shows_every_step_and_the_way_back(alice: Client, cast: Cast) -> None:
    """In words: done, failed, not run; each step's undo; tries with the gate's verdicts."""
    recovery = a_recovery(an_incident_row(cast.capture), "failed")
    gate = {"outcome": "run", "checks": [
        {"name": "kill_switch", "verdict": "pass", "reason": "No switch is on."}
    ]}  # fmt: skip
    an_attempt(recovery, "drain", receipt=gate)
    an_attempt(recovery, "left", "failed", result={"reason": "The host refused."})
    text = text_of(alice.get(f"/recoveries/{recovery.pk}/"))
    for words in (
        "Drain Done Touch, undone by touch",
        "2 steps at once",
        "Left Failed",
        "Right Not run",
        "Verify Not run",
        "Way back",
        "Undo: Left Stands by",
        "No switch is on.",
        "The host refused.",
        "Failed : It is failed.",
    ):
        assert words in text, (words, text)
    assert text.index("Undo: Left") < text.index("Undo: Drain")


def test_actions_narrow(alice: Client, cast: Cast) -> None:
    """To any kind of the catalog, to states, to a workflow, to a time; a wrong one is refused."""
    recovery = a_recovery(an_incident_row(cast.capture), "executing")
    told_people = an_attempt(recovery, "drain", kind="escalate")
    planned = an_attempt(recovery, "left", "planned", kind="retry")
    contacts = a_recovery(an_incident_row(cast.contacts), "executing")
    old = an_attempt(contacts, "drain", kind="http", created_at=timezone.now() - 2 * DAY)

    def rows(query: str = "") -> list[str]:
        answer = alice.get(f"/actions/{query}")
        assert answer.status_code == 200
        return re.findall(r'id="action-([0-9a-f-]{36})"', answer.content.decode())

    assert rows() == [str(old.pk), str(planned.pk), str(told_people.pk)]
    assert rows("?type=escalate") == [str(told_people.pk)]
    assert rows("?type=escalate&status=planned") == []
    assert rows("?type=http&workflow=crm.contact-sync") == [str(old.pk)]
    assert rows("?workflow=payments.capture&status=planned") == [str(planned.pk)]
    assert rows("?since=24h") == [str(planned.pk), str(told_people.pk)]
    assert "No action matches" in text_of(alice.get("/actions/?type=sns"))
    for query in ("?type=unheard-of", "?status=done", "?since=yesterday"):
        assert alice.get(f"/actions/{query}").status_code == 400
    answer = alice.get("/actions/?type=escalate")
    assert "?status=planned" in links_of(answer)
    assert all(kind.label in text_of(answer) for kind in kinds().values())


def test_it_is_taken_back_with_a_reason(alice: Client, cast: Cast) -> None:
    recovery = a_recovery(an_incident_row(cast.capture))
    an_attempt(recovery, "drain", result={"taken": True})
    page = f"/recoveries/{recovery.pk}/"
    [form] = post_forms(alice.get(page))
    answer = alice.post(form.action, {"comment": "Wrong host"})
    assert (answer.status_code, answer.headers["Location"]) == (303, page)
    assert told(answer) == [("success", "Mend it is taken back, the last step first")]
    recovery.refresh_from_db()
    assert (recovery.status, recovery.reason) == ("rolling_back", "Wrong host")
    assert "asked for by alice" in text_of(alice.get(page))
    assert post_forms(alice.get(page)) == []


@pytest.mark.parametrize(
    ("status", "took_effect"), [("rolled_back", True), ("completed", False), ("failed", False)]
)
def test_it_offers_no_undo_where_there_is_none(
    alice: Client, cast: Cast, status: str, took_effect: bool
) -> None:
    """Undone already, or nothing took effect."""
    recovery = a_recovery(an_incident_row(cast.capture), status)
    an_attempt(recovery, "drain", result={"taken": took_effect})
    assert post_forms(alice.get(f"/recoveries/{recovery.pk}/")) == []


def test_it_offers_the_undo_that_a_kind_knows(alice: Client, cast: Cast) -> None:
    """A pause whose plan names no undo: once it took effect, its kind knows the way back."""
    source = "name: pause\nsteps: [{key: pause, kind: touch}]"
    plan = a_plan(cast.meridian, "pause", source=source)
    recovery = a_recovery(an_incident_row(cast.capture), plan=plan)
    page = f"/recoveries/{recovery.pk}/"
    assert post_forms(alice.get(page)) == []
    an_attempt(recovery, "pause", kind="pause_workflow", result={"taken": True, "switch": "x"})
    assert len(post_forms(alice.get(page))) == 1
    assert "Undo: Pause Stands by" in text_of(alice.get(page))


def test_a_late_undo_is_told_not_done(alice: Client, cast: Cast) -> None:
    """A button of an old page: the next page says why nothing happened."""
    recovery = a_recovery(an_incident_row(cast.capture), "rolled_back")
    answer = alice.post(f"/recoveries/{recovery.pk}/undo", {"comment": "x"})
    assert told(answer) == [("error", "There is nothing left to undo.")]


def test_a_viewer_is_told_who_may_undo(cast: Cast) -> None:
    recovery = a_recovery(an_incident_row(cast.capture))
    an_attempt(recovery, "drain", result={"taken": True})
    answer = cast.client_as("vera").get(f"/recoveries/{recovery.pk}/")
    assert "anna can give you the responder role" in text_of(answer)
    assert post_forms(answer) == []


def test_the_incident_shows_its_plan_as_it_runs(alice: Client, cast: Cast) -> None:
    """The stepper of its latest recovery, with a link to it."""
    incident = an_incident_row(cast.capture)
    a_recovery(incident, "failed")
    recovery = a_recovery(incident, "executing")
    an_attempt(recovery, "drain")
    answer = alice.get(f"/incidents/{incident.pk}/")
    assert f"/recoveries/{recovery.pk}/" in links_of(answer)
    assert "Drain Done" in text_of(answer)
    assert "2 steps at once" in text_of(answer)
    assert Recovery.objects.count() == 2
