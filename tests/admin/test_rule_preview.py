"""Who writes a rule is told what it says and what of the past it would match [U3 S10]."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from awfdrs_site.kernel.models import AuditEntry
from incidents.models import Incident, IncidentEvent
from safety.models import (
    AutomationPolicy,
    ErrorCode,
    EventTypeRule,
    MessagePattern,
    RetryPolicy,
)
from tests.admin.conftest import POLICY, World
from tests.admin.test_pages import url
from tests.builders import an_event

RULE = {"severity": "low", "category": "business_decline"}


def an_incident(world: World, number: int, code: str, message: str = "No.") -> Incident:
    incident = Incident.objects.get(pk=world.incident.pk)
    incident.pk = None
    incident.id = Incident._meta.pk.get_default()
    incident._state.adding = True
    incident.number, incident.signature, incident.title = number, f"s{number}", f"Failed {number}"
    incident.save()
    event = an_event(world.workflow, error_code=code, message=message)
    IncidentEvent.objects.create(incident=incident, event=event)
    return incident


def preview(client: Client, model: Any, body: dict[str, Any], pk: Any = None) -> str:
    """What the script would put beside the form."""
    page = url(model, "add") if pk is None else url(model, "change", pk)
    answer = client.post(page, body | {"_preview": "1"}, headers={"X-Preview": "1"})
    assert answer.status_code == 200
    assert "<form" not in answer.content.decode(), "only what stands beside the form"
    text = re.sub(r"<[^>]+>", " ", html.unescape(answer.content.decode()))
    return re.sub(r"\s+", " ", text)


@pytest.fixture
def policy(world: World) -> RetryPolicy:
    return RetryPolicy.objects.create(
        tenant=world.tenant, name="gentle", kind="fixed", max_retries=3, initial_delay_seconds=10,
        max_delay_seconds=10, jitter_ratio=0,
    )  # fmt: skip


def code_body(world: World, policy: RetryPolicy, **fields: Any) -> dict[str, Any]:
    body = {"tenant": str(world.tenant.pk), "code": "card_gone", "retry_policy": str(policy.pk)}
    return RULE | body | fields


def test_a_code_says_what_it_means_and_what_it_would_match(
    anna: Client, world: World, policy: RetryPolicy
) -> None:
    """By the function that classifies in life; nothing is stored. Seen red without the stop of
    `is_valid`: the rule was there."""
    an_incident(world, 7, "CARD_GONE")
    an_incident(world, 8, "other_code")
    count = AuditEntry.objects.count()
    text = preview(anna, ErrorCode, code_body(world, policy))
    assert "When a failure has the code card_gone, it is a business decline of low severity" in text
    assert "retry up to 3 times, the first from 10 s after the failure, the last by 30 s" in text
    assert "Of the last 3 incidents, 1 match. 1 would be other than it is now." in text
    assert "INC-7 Failed 7 now: medium unknown" in text
    assert "then: low business decline, gentle: 3 attempts, at most 10 s apart" in text
    assert not ErrorCode.objects.filter(code="card_gone").exists()
    assert AuditEntry.objects.count() == count


def test_another_tenants_incidents_are_not_looked_at(
    anna: Client, boss: Client, world: World, other: World, policy: RetryPolicy
) -> None:
    """Neither for a rule of the own tenant, nor beside a default that all may read. Seen red
    without the narrowing to what the person administers."""
    an_incident(other, 7, "card_gone")
    text = preview(anna, ErrorCode, code_body(world, policy))
    assert "There is" in text or "Of the last incident, 0 match" in text
    default = ErrorCode.objects.filter(tenant=None).earliest("pk")
    page = anna.get(url(ErrorCode, "change", default.pk)).content.decode()
    assert "Of the last incident, " in page
    assert "northwind" not in page.lower()
    all_of_them = boss.get(url(ErrorCode, "change", default.pk)).content.decode()
    assert "Of the last 3 incidents" in all_of_them


def test_reading_a_rule_writes_nothing(anna: Client, world: World) -> None:
    """Not even in a transaction that is rolled back. Seen red with the trial of an edit."""
    with CaptureQueriesContext(connection) as queries:
        assert anna.get(url(AutomationPolicy, "change", world.policy.pk)).status_code == 200
    assert not [q["sql"] for q in queries if q["sql"].startswith(("UPDATE", "INSERT"))]


def test_mistakes_are_named_by_field(anna: Client, world: World, policy: RetryPolicy) -> None:
    text = preview(anna, ErrorCode, code_body(world, policy, code="!!!"))
    assert "It cannot be stored yet" in text
    assert "Code: A code needs a letter or a digit." in text


def test_it_works_without_a_script(anna: Client, world: World, policy: RetryPolicy) -> None:
    """The button gives the whole form back, as it was filled in, with what stands beside it."""
    answer = anna.post(url(ErrorCode, "add"), code_body(world, policy) | {"_preview": "1"})
    page = answer.content.decode()
    assert 'value="card_gone"' in page
    assert "When a failure has the code card_gone" in page
    assert 'name="_preview"' in page
    assert not ErrorCode.objects.filter(code="card_gone").exists()


def test_a_pattern_is_tried_in_its_place_among_the_others(
    anna: Client, world: World, policy: RetryPolicy
) -> None:
    """Behind one that finds the same first it matches nothing."""
    an_incident(world, 7, "", "the card is gone for good")
    body = code_body(world, policy, name="gone", pattern="card is gone", position="1")
    assert ", 1 match." in preview(anna, MessagePattern, body)
    first = {"severity": "low", "category": "unknown", "retry_policy": policy}
    first |= {"tenant": world.tenant, "name": "x", "pattern": "gone", "position": 0}
    MessagePattern.objects.create(**first)
    assert ", 0 match." in preview(anna, MessagePattern, body)


def test_an_event_type_is_tried_on_events(anna: Client, world: World) -> None:
    body = {"tenant": str(world.tenant.pk), "pattern": "work.*", "kind": "info", "position": "1"}
    text = preview(anna, EventTypeRule, body)
    assert "When an event's type is like work.* (* stands for anything), it is information" in text
    assert "Of the last event, 1 match. 1 would be other than it is now." in text
    assert "work.failed now: failure then: info" in text


def test_a_policy_is_tried_on_decisions(anna: Client, world: World) -> None:
    """The world's decision has a confidence of 0.9."""
    body = POLICY | {"confidence_threshold": "0.95", "workflow": str(world.workflow.pk)}
    text = preview(anna, AutomationPolicy, body, world.policy.pk)
    assert f"In workflow {world.workflow.name} automation acts by itself from a confidence" in text
    assert "0 reach the line. 1 would be other than it is now." in text
    assert "now: by itself then: a person decides" in text
    own = body | {"confidence_thresholds_0": "0.9"}
    assert "(retry from 0.9)" in preview(anna, AutomationPolicy, own, world.policy.pk)
    assert "1 reach the line. Nothing would be" in preview(
        anna, AutomationPolicy, own, world.policy.pk
    )


def test_a_retry_policy_is_tried_on_what_it_would_retry(
    anna: Client, world: World, policy: RetryPolicy
) -> None:
    an_incident(world, 7, "card_gone")
    ErrorCode.objects.create(
        tenant=world.tenant, code="card_gone", retry_policy=policy, category="unknown"
    )
    body = {
        "name": "gentle", "kind": "fixed", "max_retries": "2", "initial_delay_seconds": "5",
        "max_delay_seconds": "5", "multiplier": "2", "jitter_ratio": "0",
    }  # fmt: skip
    text = preview(anna, RetryPolicy, body, policy.pk)
    assert "retry up to 2 times" in text
    assert "1 would be retried by it" in text


def test_a_draft_goes_to_the_what_if_page(anna: Client, world: World, policy: RetryPolicy) -> None:
    """Its link fills the draft in, as YAML that an import reads; nothing is replayed yet."""
    answer = anna.post(url(ErrorCode, "add"), code_body(world, policy) | {"_preview": "1"})
    found = re.search(r'href="(/rules/\?yaml=[^"]+)#draft"', answer.content.decode())
    assert found is not None
    page = anna.get(html.unescape(found[1])).content.decode()
    assert "card_gone:" in page
    assert "business_decline" in page


def test_plans_in_use_are_offered_and_others_are_not(
    anna: Client, world: World, other: World
) -> None:
    page = anna.get(url(ErrorCode, "add")).content.decode()
    assert 'list="plan-names"' in page
    assert '<option value="mend">' in page


def test_it_looks_at_so_many_and_no_more(
    anna: Client, world: World, policy: RetryPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red without the bound."""
    from actions.whatif import rule_trial

    monkeypatch.setattr(rule_trial, "INCIDENTS", 2)
    for number in range(7, 12):
        an_incident(world, number, "card_gone")
    assert "Of the last 2 incidents, 2 match." in preview(anna, ErrorCode, code_body(world, policy))
