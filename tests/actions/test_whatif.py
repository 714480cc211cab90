"""A replay of stored events: by the command, by the API, and by the workers [S10]."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from actions.models import Action, RunStatus, WhatIfRun
from actions.whatif import stage as whatif_stage
from actions.whatif.drafts import draft_of
from actions.whatif.runs import what_if
from awfdrs_site.kernel import work
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.problem import Problem
from incidents.detecting.detection import detect
from incidents.models import Incident
from safety.models import AutomationPolicy, ErrorCode
from tests.builders import an_event
from tests.cast import Cast, cast, default_rules, quick_passwords

__all__ = ["cast", "default_rules", "quick_passwords"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("default_rules")]
CAREFUL: dict[str, Any] = {"rules": {"automation": {"defaults": {"confidence_threshold": 0.99}}}}
PATH = "/api/v1/rules/what-if"


@pytest.fixture
def past(cast: Cast) -> Cast:
    """Meridian's last hour: a failure that a retry mended, and one of Northwind."""
    then = timezone.now() - timedelta(hours=1)
    cast.capture.retry_url = "http://engine.invalid/retry"
    cast.capture.save()
    named = {"resource_type": "order", "resource_id": "7"}
    an_event(cast.capture, received_at=then, **named)
    an_event(cast.capture, "success", received_at=then + timedelta(seconds=40), **named)
    an_event(cast.routing, received_at=then)
    work.run_due("detect", detect)
    return cast


def report_of(cast: Cast, draft: dict[str, Any], **options: Any) -> dict[str, Any]:
    rules = draft_of(cast.meridian, draft)
    return what_if(cast.meridian, rules, 1, timezone.now(), **options)


def test_it_replays_the_tenants_own_events_under_both_rules(past: Cast) -> None:
    told: list[tuple[int, int]] = []
    report = report_of(past, CAREFUL, progress=lambda *numbers: told.append(numbers))
    assert (report["events"], report["now"]["incidents"]) == (2, 1)
    assert (report["now"]["retries"], report["draft"]["retries"]) == (1, 0)
    assert (report["now"]["approvals"], report["draft"]["approvals"]) == (0, 1)
    [change] = report["changes"]
    incident = Incident.objects.get(tenant=past.meridian)
    assert change["incident"] == {"id": str(incident.pk), "number": incident.number}
    assert change["words"] == "runs by itself, 1 sent → a person is asked"
    assert change["really"] == "Recovered without a retry"
    assert [line for line in report["rules"] if "confidence_threshold" in line]
    assert told == []


def test_it_keeps_nothing_of_the_draft(past: Cast) -> None:
    before = list(AutomationPolicy.objects.values()), ErrorCode.objects.count()
    report_of(past, {"yaml": "error_codes: {x: {severity: low, retry_policy: no_retry}}"})
    assert (list(AutomationPolicy.objects.values()), ErrorCode.objects.count()) == before
    assert not Action.objects.exists()


def test_automatic_where_a_person_said_no_would_have_gone_wrong(past: Cast) -> None:
    incident = Incident.objects.get(tenant=past.meridian)
    now = timezone.now()
    Action.objects.create(
        tenant=past.meridian, incident=incident, kind="retry", status="rejected",
        created_at=now, due_at=now,
    )  # fmt: skip
    AutomationPolicy.objects.create(tenant=past.meridian, confidence_threshold=0.99)
    bold = {"automation": {"workflow": "", "confidence_threshold": 0.5}}
    report = report_of(past, bold)
    [change] = report["changes"]
    assert (change["really"], change["wrong"]) == ("A person rejected it", True)
    assert report["would_have_gone_wrong"] == 1


@pytest.mark.parametrize(
    ("draft", "says"),
    [
        ({}, "Give `files` or `rules`"),
        ({"yaml": "a: ["}, "Not YAML"),
        ({"rules": {"automation": {"defaults": {"max_attempts": 99}}}}, "between 1 and 20"),
        ({"automation": {"workflow": "", "cooldown_seconds": 0}}, "between 1 and 86400"),
        ({"automation": {"workflow": "nowhere", "max_attempts": 2}}, "No workflow 'nowhere'"),
        (
            {"rules": {"error_codes": {"x": {"severity": "low", "retry_policy": "none-such"}}}},
            "no retry policy",
        ),
    ],
)
def test_a_draft_that_cannot_be_is_refused(cast: Cast, draft: dict[str, Any], says: str) -> None:
    with pytest.raises(Problem) as refused:
        draft_of(cast.meridian, draft)
    assert refused.value.status == 400
    assert says in " ".join(error.detail for error in refused.value.errors)


def test_too_long_and_too_much_is_refused(past: Cast) -> None:
    rules = draft_of(past.meridian, CAREFUL)
    for days in (0, 31):
        with pytest.raises(Problem):
            what_if(past.meridian, rules, days, timezone.now())
    with pytest.raises(Problem) as refused:
        report_of(past, CAREFUL, most_events=1)
    assert refused.value.errors[0].code == "too_many_events"


def test_the_api_answers_with_the_report(past: Cast) -> None:
    def post(client: Any, body: Any) -> Any:
        return client.post(PATH, body, content_type="application/json")

    yaml: dict[str, Any] = {
        "files": {"a.yaml": "automation: {defaults: {confidence_threshold: 0.99}}"}
    }
    for body in (CAREFUL, yaml | {"days": 1}):
        answer = post(past.api("meridian-all"), body)
        assert answer.status_code == 200, answer.content
        assert (answer.json()["events"], answer.json()["draft"]["approvals"]) == (2, 1)
    assert post(past.client_as("vera"), CAREFUL).status_code == 403
    for body, field in [
        ({}, "files"), (CAREFUL | yaml, "files"), (CAREFUL | {"days": 31}, "days"),
        ({"files": {}}, "files"), ({"files": {"a": 5}}, "files"),
        ({"files": {"a.yaml": "x: 1"}}, "a.yaml"), (CAREFUL | {"more": 1}, "more"),
    ]:  # fmt: skip
        answer = post(past.api("meridian-all"), body)
        assert answer.status_code == 400, (body, answer.content)
        assert answer.json()["errors"][0]["field"].startswith(field), (body, answer.content)


def test_the_command_prints_both_sides_and_its_speed(past: Cast, tmp_path: Path) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text("automation: {defaults: {confidence_threshold: 0.99}}")
    out = StringIO()
    call_command("what_if", str(file), tenant="Meridian Commerce", days=1, stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("2 events in ")
    assert lines[0].endswith(" a second")
    assert ["retries", "1", "0", "-1"] in [line.split() for line in lines]
    file.write_text("automation: {defaults: {confidence_threshold: 9}}")
    with pytest.raises(CommandError, match="confidence_threshold"):
        call_command("what_if", str(file), tenant="Meridian Commerce", stdout=out)


def ask(cast: Cast, **fields: Any) -> WhatIfRun:
    defaults: dict[str, Any] = {
        "draft": CAREFUL,
        "days": 1,
        "actor": MACHINE,
        "now": timezone.now(),
    }
    return whatif_stage.ask(tenant=cast.meridian, **defaults | fields)


def test_a_worker_does_what_was_asked_for(past: Cast) -> None:
    run = ask(past)
    assert whatif_stage.run_due() == 1
    run.refresh_from_db()
    assert (run.status, run.done, run.total, run.attempts) == (RunStatus.DONE, 2, 2, 1)
    assert run.report is not None
    assert run.report["draft"]["approvals"] == 1
    assert whatif_stage.run_due() == 0


def test_a_lost_worker_leaves_its_run_to_the_next_three_times(past: Cast) -> None:
    """And a worker that comes back writes nothing over what another has."""
    run = ask(past)
    for attempt in (1, 2, 3):
        lost = whatif_stage._claim(timezone.now())
        assert lost is not None
        assert (lost.pk, lost.attempts) == (run.pk, attempt)
        assert whatif_stage._claim(timezone.now()) is None
        WhatIfRun.objects.update(touched_at=timezone.now() - timedelta(seconds=61))
    assert whatif_stage.run_due() == 0
    assert lost is not None
    whatif_stage._do(lost)
    run.refresh_from_db()
    assert (run.status, run.report) == (RunStatus.FAILED, None)


def test_old_runs_make_room(past: Cast) -> None:
    runs = [ask(past) for _ in range(whatif_stage.KEPT + 2)]
    kept = set(WhatIfRun.objects.values_list("pk", flat=True))
    assert kept == {run.pk for run in runs[2:]}
