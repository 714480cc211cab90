"""A terminated instance, by the rule, plan and kinds that come with the product [A2 A7 S7]."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from actions import deciding, planning
from actions.models import Action, Recovery
from actions.plans import stage
from actions.plans.templates import ensure_default_plans
from actions.previewing import preview_of
from ai.services import decide_on
from awfdrs_site.kernel import work
from incidents.models import Incident
from safety.models import AutomationPolicy
from safety.selectors import forget_rules
from safety.services import ensure_default_rules
from tenants.models import Workflow
from tests.actions.conftest import an_incident
from tests.actions.driving import ANNA, drive, later
from tests.builders import a_workflow
from tests.connectors.conftest import a_connector
from tests.connectors.servers import Answer, Call, Server, a_server
from tests.connectors.test_aws import KEYS

BUILD = "rebuild-instance:1"
pytestmark = pytest.mark.django_db


def codebuild(call: Call) -> Answer:
    """Takes every build, and has finished it by the time anybody asks."""
    if call.headers["x-amz-target"].endswith(".StartBuild"):
        return 200, {"build": {"id": BUILD}}
    return 200, {"builds": [{"id": BUILD, "buildStatus": "SUCCEEDED"}]}


@pytest.fixture
def aws() -> Iterator[Server]:
    with a_server(codebuild) as server:
        yield server


@pytest.fixture
def workflow() -> Workflow:
    """Of a tenant with the product's own rules and plans, whose failures are judged at once."""
    ensure_default_rules()
    ensure_default_plans(timezone.now())
    forget_rules()
    return a_workflow(name="web.hosts")


def connect(workflow: Workflow, aws: Server, **fields: Any) -> None:
    settings = {"region": "eu-central-1", "endpoint_url": aws.url}
    a_connector(workflow.tenant, "aws", name="aws", settings=settings, secret=KEYS, **fields)


def terminated(workflow: Workflow, instance: str = "i-0abc", **event: Any) -> Incident:
    """The instance goes, and what its rule says has been decided and planned."""
    event |= {"resource_type": "instance", "resource_id": instance}
    incident = an_incident(workflow, error_code="EC2InstanceTerminated", **event)
    decision = decide_on(incident, timezone.now())
    assert decision.parameters["plan"] == "rebuild_instance"
    planning.plan([decision.pk], timezone.now())
    work.run_due("recover", stage.recover)
    return incident


def builds(aws: Server) -> list[Any]:
    started = (call.body for call in aws.calls if "StartBuild" in call.headers["x-amz-target"])
    return [body["environmentVariablesOverride"][0]["value"] for body in started]


def rebuilt(workflow: Workflow) -> Recovery:
    """One that a person let run, through all its waits."""
    terminated(workflow, received_at=timezone.now() - timedelta(minutes=30))
    action = Action.objects.get(step="rebuild")
    seen = preview_of(action, timezone.now()).hash
    deciding.approve(action=action, user=None, actor=ANNA, now=timezone.now(), preview_hash=seen)
    recovery = Recovery.objects.get()
    for _ in range(3):
        recovery = drive(recovery)
        later(minutes=2)
    return recovery


def test_it_is_built_again_and_told(workflow: Workflow, aws: Server) -> None:
    """After a person's yes: nobody has seen the plan work yet."""
    connect(workflow, aws)
    recovery = rebuilt(workflow)
    assert (recovery.status, recovery.incident.status) == ("completed", "resolved")
    assert builds(aws) == ["i-0abc"]
    told = recovery.actions.get(step="tell").parameters["text"]
    assert told == f"i-0abc was built again by {BUILD}"


def test_the_same_instance_again_cools_down(workflow: Workflow, aws: Server) -> None:
    """Within five minutes nothing is sent, whatever anybody approves; it says how long.

    Seen red without the mark of what was tried (`sending._mark_tried`): it waited for an approval.
    """
    connect(workflow, aws)
    AutomationPolicy.objects.create(tenant=workflow.tenant, recurrence_seconds=0)
    rebuilt(workflow)
    terminated(workflow)
    second = drive(Recovery.objects.latest("created_at"), rounds=2)
    assert (second.status, second.actions.get().status) == ("cooldown", "planned")
    assert "s of 300 s left" in second.reason
    assert builds(aws) == ["i-0abc"]


def test_another_instance_does_not_wait_for_the_first(workflow: Workflow, aws: Server) -> None:
    """The cooldown is the instance's, not the workflow's."""
    connect(workflow, aws)
    rebuilt(workflow)
    terminated(workflow, "i-0def")
    assert Recovery.objects.latest("created_at").status == "awaiting_approval"


@pytest.mark.parametrize(
    ("fields", "words"),
    [(None, "There is no connector 'aws'"), ({"is_enabled": False}, "connector aws is disabled")],
)
def test_without_its_connector_a_person_is_called_at_once(
    workflow: Workflow, aws: Server, fields: dict[str, Any] | None, words: str
) -> None:
    """Nobody is asked to approve what cannot run.

    Seen red without `lacks` in `planning._begin_plan`: it waited for an approval.
    """
    if fields is not None:
        connect(workflow, aws, **fields)
    incident = terminated(workflow)
    [action] = Action.objects.all()
    assert (action.kind, incident.recoveries.count()) == ("escalate", 0)
    assert action.parameters["reason"].startswith("The recovery plan rebuild_instance cannot run: ")
    assert words in action.parameters["reason"]
