"""The rules page: what is in force, a draft tried on the past, and when retries run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from actions.models import WhatIfRun
from actions.whatif import stage as whatif_stage
from awfdrs_site.kernel import work
from incidents.detecting.detection import detect
from safety.models import AutomationPolicy
from tests.builders import an_event
from tests.cast import Cast, default_rules
from tests.pages.looks import post_forms, text_of, told

__all__ = ["default_rules"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("default_rules")]
PAGE, REPLAYS = "/rules/", "/rules/replays"
DRAFT = {
    "workflow": "", "confidence_threshold": "0.99", "cooldown_seconds": "300",
    "max_attempts": "5", "yaml": "", "days": "1",
}  # fmt: skip


def start(client: Any, **fields: str) -> Any:
    return client.post(REPLAYS, DRAFT | fields)


def test_it_lists_the_rules_in_force_and_finds_in_them(cast: Cast) -> None:
    AutomationPolicy.objects.create(tenant=cast.meridian, workflow=cast.capture, max_attempts=2)
    client = cast.client_as("vera")
    text = text_of(client.get(PAGE))
    for words in ("payments.capture from 0.8, 2 attempts", "payment_timeout", "*.failed failure"):
        assert words in text, words
    found = text_of(client.get(PAGE, {"q": "card_declined"}))
    assert "card_declined" in found
    assert "insufficient_funds" not in found
    assert "None fits “<b>”" in text_of(client.get(PAGE, {"q": "<b>"}))


def test_it_draws_the_schedule_of_a_policy(cast: Cast) -> None:
    client = cast.client_as("vera")
    html = client.get(PAGE, {"policy": "exponential_backoff"}).content.decode()
    assert 'aria-label="exponential_backoff: ' in html
    assert html.count("fill-opacity") == html.count(">Attempt ") > 1
    assert "no_retry retries nothing" in client.get(PAGE, {"policy": "no_retry"}).content.decode()


def test_a_replay_is_followed_to_its_report(cast: Cast) -> None:
    """Waiting, then running with its progress, then the figures and what really happened."""
    then = timezone.now() - timedelta(hours=1)
    cast.capture.retry_url = "http://engine.invalid/retry"
    cast.capture.save()
    an_event(cast.capture, received_at=then)
    work.run_due("detect", detect)
    client = cast.client_as("alice")
    answer = start(client)
    run = WhatIfRun.objects.get()
    address = f"{PAGE}?run={run.pk}"
    assert (answer.status_code, answer.headers["Location"]) == (303, address)
    waiting = client.get(address).content.decode()
    assert 'hx-trigger="every 1s"' in waiting
    assert "Waiting for a worker" in waiting
    WhatIfRun.objects.update(status="running", done=50, total=200)
    running = client.get(address).content.decode()
    assert "Replaying 50 of 200 events" in running
    assert 'value="25"' in running
    WhatIfRun.objects.update(status="waiting")
    whatif_stage.run_due()
    done = client.get(address)
    assert 'hx-trigger="every 1s"' not in done.content.decode()
    text = text_of(done)
    assert "Approvals asked 0 1 +1" in text
    assert "INC-1 runs by itself, 5 sent, then a person is called → a person is asked" in text
    assert "Still open" in text
    assert '"draft": 1' in done.content.decode()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"days": "31"}, "From 1 to 30"),
        ({"days": "x"}, "From 1 to 30"),
        ({"confidence_threshold": "high"}, "expected a number"),
        ({"confidence_threshold": "nan"}, "Expected a number"),
        ({"max_attempts": "99"}, "between 1 and 20"),
        ({"workflow": "nowhere"}, "No workflow"),
        ({"yaml": "error_codes: 5"}, "Expected a mapping"),
        ({"yaml": "x" * 70_000}, "At most"),
    ],
)
def test_a_draft_that_cannot_be_is_told(cast: Cast, fields: dict[str, str], says: str) -> None:
    answer = start(cast.client_as("alice"), **fields)
    assert answer.status_code == 303
    assert says in told(answer)[0][1]
    assert not WhatIfRun.objects.exists()


def test_yaml_takes_the_place_of_the_fields(cast: Cast) -> None:
    start(cast.client_as("alice"), yaml="automation: {defaults: {max_attempts: 1}}")
    run = WhatIfRun.objects.get()
    assert run.draft == {"yaml": "automation: {defaults: {max_attempts: 1}}"}
    whatif_stage.run_due()
    run.refresh_from_db()
    assert run.status == "done", run.error


def test_a_replay_is_its_tenants_own(cast: Cast) -> None:
    """Seen red with the run read without its tenant."""
    start(cast.client_as("alice"))
    address = f"{PAGE}?run={WhatIfRun.objects.get().pk}"
    assert cast.client_as("mallory").get(address).status_code == 404
    assert cast.client_as("alice").get(f"{PAGE}?run=x").status_code == 404
    vera = cast.client_as("vera")
    assert vera.get(address).status_code == 200
    assert post_forms(vera.get(PAGE)) == []
    assert start(vera).status_code == 403
