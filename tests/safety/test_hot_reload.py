"""A rule edited in one process is followed by the others, without a restart [S11 P6]."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from safety.models import AutomationPolicy, ErrorCode, EventTypeRule, RetryPolicy, Vendor
from safety.selectors import RULES_SECONDS
from tenants.models import Workflow
from tests import processes
from tests.builders import a_tenant, a_workflow

pytestmark = pytest.mark.django_db(transaction=True)

# For each line it is given, what this process goes by at that moment.
FOLLOWER = """
import json, sys
from uuid import UUID
from ai.classify import classify
from safety.selectors import event_kind, policy_for, rules_for, vendor_for
tenant, workflow = UUID("{tenant}"), UUID("{workflow}")
for _ in sys.stdin:
    print(json.dumps({{
        "severity": classify("our_code", "", rules_for(tenant)).severity,
        "kind": event_kind(tenant, "order.stuck"),
        "max_attempts": policy_for(tenant, workflow).max_attempts,
        "threshold": rules_for(tenant).automation_for("{name}").confidence_threshold,
        "per_minute": vendor_for(tenant, "Stripe").requests_per_minute,
        "window_seconds": rules_for(tenant).vendor("Stripe").breaker.window_seconds,
    }}), flush=True)
"""
Ask = Callable[[], dict[str, Any]]


@pytest.fixture
def workflow() -> Workflow:
    """With a rule of each kind that the other process is asked about."""
    tenant = a_tenant()
    policy = RetryPolicy.objects.create(tenant=tenant, name="mine")
    ErrorCode.objects.create(tenant=tenant, code="our_code", retry_policy=policy, severity="low")
    EventTypeRule.objects.create(tenant=tenant, pattern="*.stuck", kind="info")
    AutomationPolicy.objects.create(tenant=tenant)
    Vendor.objects.create(tenant=tenant, name="stripe")
    return a_workflow(tenant)


@pytest.fixture
def ask(workflow: Workflow) -> Iterator[Ask]:
    """What the other process goes by now; it has read everything once."""
    code = FOLLOWER.format(tenant=workflow.tenant_id, workflow=workflow.pk, name=workflow.name)
    process: subprocess.Popen[str] = processes.start(code, talks=True)
    assert process.stdin is not None
    assert process.stdout is not None
    given, said = process.stdin, process.stdout

    def asked() -> dict[str, Any]:
        given.write("\n")
        given.flush()
        return dict(json.loads(said.readline()))

    asked()
    yield asked
    given.close()
    process.wait(30)
    said.close()


def test_another_process_follows_an_edited_rule(ask: Ask, workflow: Workflow) -> None:
    """Each rule that is kept for a moment. Seen red with a copy that is never read anew."""
    assert RULES_SECONDS <= 1
    mine = {"tenant": workflow.tenant}
    ErrorCode.objects.filter(**mine).update(severity="critical")
    EventTypeRule.objects.filter(**mine).update(kind="failure")
    AutomationPolicy.objects.filter(**mine).update(confidence_threshold=0.3)
    Vendor.objects.filter(**mine).update(window_seconds=7)
    expected = {"severity": "critical", "kind": "failure", "threshold": 0.3, "window_seconds": 7}
    waited = time.monotonic()
    while not expected.items() <= (found := ask()).items():
        assert time.monotonic() - waited < 30, found
        time.sleep(0.05)


def test_another_process_has_an_edited_limit_at_once(ask: Ask, workflow: Workflow) -> None:
    """The gate's policy and a vendor's limits are read with each call: no copy, no wait.

    Seen red with `policy_for` and `vendor_for` kept (functools.cache).
    """
    AutomationPolicy.objects.filter(tenant=workflow.tenant).update(max_attempts=2)
    Vendor.objects.filter(tenant=workflow.tenant).update(requests_per_minute=9)
    found = ask()
    assert (found["max_attempts"], found["per_minute"]) == (2, 9)
