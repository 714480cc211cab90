"""An EC2 instance is terminated twice: built again by CodeBuild, then held by the cooldown."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.drill import plans
from bench.drill.result import Result, await_
from bench.drill.stage_set import Stage
from bench.load import event_document

CODE, INSTANCE, PROJECT = "ec2_instance_terminated", "i-0a1b2c3d4e5f60718", "rebuild-instance"
KEYS = "AKIADRILLDRILLDRILL1:drill-drill-drill-drill"
REGION = "eu-central-1"
COOLDOWN_SECONDS = 300
# After it was held: long enough for a worker to look at it again.
HELD_SECONDS = 3
PASSED = [
    *("detecting", "analyzing", "planning", "awaiting_approval", "executing", "verifying"),
    "completed",
]


def rebuild(stage: Stage) -> Result:
    """By the default rule and plan, with shorter waits; a person lets it run the first time."""
    began = time.monotonic()
    _shorten(stage)
    with _aws() as url:
        plans.connect(stage, "aws", "aws", KEYS, region=REGION, endpoint_url=url)
        _terminate(stage)
        recovery = plans.recovery_of(stage, CODE)
        _approve(stage, recovery)
        plans.await_state(recovery, "completed", "failed", "rolled_back", "needs_human")
        result = plans.row("instance terminated", recovery, since=began)
        passed, did = plans.states(recovery), plans.parts(recovery)
        result.expect(f"states {passed}", kept=passed == PASSED)
        wanted = ["rebuild", "settle", "tell", "verify"]
        result.expect(f"steps {did}", kept=did == wanted and plans.follow_each_other(recovery))
        built = _builds(url)
        result.expect(f"built once: {built}", kept=built == 1)
        _again(stage, result, url)
    result.events = 2
    return result


def _again(stage: Stage, result: Result, url: str) -> None:
    """The same instance goes again: nothing is built while the cooldown lasts, and it says so."""
    first = plans.recovery_of(stage, CODE).pk
    time.sleep(1.5)  # what comes sooner counts as the first one's, and calls a person
    _terminate(stage)
    await_(lambda: plans.recovery_of(stage, CODE).pk != first)
    second = plans.recovery_of(stage, CODE)
    held = plans.await_state(second, "cooldown")
    time.sleep(HELD_SECONDS)
    seen = stage.get(f"/recoveries/{second.pk}")
    left = f"s of {COOLDOWN_SECONDS} s left"
    result.expect("a second recovery is held", kept=second.pk != first and held)
    result.expect(f"it stays so: {seen['state']}", kept=seen["state"] == "cooldown")
    result.expect(f"it says how long: {seen['reason']}", kept=left in seen["reason"])
    result.expect("and nothing more is built", kept=_builds(url) == 1)
    result.outcome += f"; again: {seen['state']}, {seen['reason'].rpartition('; ')[2]}"


def _shorten(stage: Stage) -> None:
    """The default plan with shorter waits; a further termination counts as a new one."""
    from actions.plans.templates import default_plans
    from safety.models import AutomationPolicy

    source = (default_plans() / "rebuild_instance.yaml").read_text()
    for long, short in (("{seconds: 30}", "{seconds: 1}"), ("{seconds: 60}", "{seconds: 2}")):
        if long not in source:
            raise RuntimeError(f"the default plan waits no {long}")
        source = source.replace(long, short)
    plans.save(stage, source)
    policies = AutomationPolicy.objects.filter(tenant_id=stage.tenant_id)
    policies.update(recurrence_seconds=1, cooldown_seconds=COOLDOWN_SECONDS)


def _terminate(stage: Stage) -> None:
    words = f"Instance {INSTANCE} is now in the state terminated"
    document = event_document(
        *stage.ids(),
        event_type="instance.failed",
        payload={"error_code": CODE, "error_message": words},
        resource_type="instance",
        resource_id=INSTANCE,
    )
    stage.post("/events", document).raise_for_status()


def _approve(stage: Stage, recovery: Any) -> None:
    """A person has looked at what will be called."""
    plans.await_state(recovery, "awaiting_approval")
    action = recovery.actions.get()
    seen = stage.get(f"/actions/{action.pk}")["preview_hash"]
    stage.post(f"/actions/{action.pk}/approve", {"preview_hash": seen}).raise_for_status()


@contextmanager
def _aws() -> Iterator[str]:
    """A stand-in for AWS on loopback, with the project."""
    # An extra of development, and heavy.
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        _codebuild(url).create_project(
            name=PROJECT,
            source={"type": "S3", "location": "bucket/path.zip"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/standard:7.0",
                "computeType": "BUILD_GENERAL1_SMALL",
            },
            serviceRole="arn:aws:iam::123456789012:role/service-role/rebuild",
        )
        yield url
    finally:
        server.stop()


def _codebuild(url: str) -> Any:
    import boto3

    key_id, _, key = KEYS.partition(":")
    return boto3.client(
        "codebuild",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=key_id,
        aws_secret_access_key=key,
    )


def _builds(url: str) -> int:
    """How many were started: the stand-in takes each, whatever its token."""
    return len(_codebuild(url).list_builds_for_project(projectName=PROJECT)["ids"])
