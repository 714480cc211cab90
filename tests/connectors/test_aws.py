"""CodeBuild and SNS, against a moto server on loopback [A7]."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from actions.catalog import kind_named
from actions.connectors import kinds
from actions.connectors.kinds.aws import CONNECTOR
from actions.connectors.services import test_connection as run_test
from actions.models import Connector
from incidents.models import Incident
from tests.connectors.conftest import Perform, a_connector, ask, the_log
from tests.connectors.servers import a_server

KEYS = "AKIACANARYCANARY0001:canary-of-aws-canary-of-aws"
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def client(service: str, url: str) -> Any:
    key_id, _, key = KEYS.partition(":")
    return boto3.client(
        service,
        region_name="eu-central-1",
        endpoint_url=url,
        aws_access_key_id=key_id,
        aws_secret_access_key=key,
    )


@pytest.fixture
def connector(incident: Incident, moto: str) -> Connector:
    settings = {"region": "eu-central-1", "endpoint_url": moto}
    return a_connector(incident.tenant, "aws", settings=settings, secret=KEYS)


@pytest.fixture
def project(moto: str) -> Iterator[str]:
    builds = client("codebuild", moto)
    builds.create_project(
        name="rebuild",
        source={"type": "S3", "location": "bucket/path.zip"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole="arn:aws:iam::123456789012:role/service-role/rebuild",
    )  # fmt: skip
    yield "rebuild"
    builds.delete_project(name="rebuild")


def test_it_starts_a_build_and_asks_how_it_ended(
    connector: Connector, project: str, perform: Perform, moto: str
) -> None:
    """moto's builds have succeeded as soon as anybody asks."""
    environment = {"INSTANCE": "i-1"}
    action = perform("codebuild", connector="my-aws", project=project, environment=environment)
    [build] = client("codebuild", moto).list_builds_for_project(projectName=project)["ids"]
    assert (action.status, action.result["build_id"]) == ("verifying", build)
    assert ask(action).status == "succeeded"
    assert the_log() == [
        ("codebuild:start_build", 200, "accepted"),
        ("codebuild:batch_get_builds", 200, "accepted"),
    ]


def test_the_build_has_the_actions_id_as_its_token(incident: Incident, perform: Perform) -> None:
    """AWS takes a second start with the same token for the same build."""
    with a_server(lambda call: (200, {"build": {"id": "rebuild:1"}})) as server:
        settings = {"region": "eu-central-1", "endpoint_url": server.url}
        a_connector(incident.tenant, "aws", settings=settings, secret=KEYS)
        action = perform("codebuild", connector="my-aws", project="rebuild")
    [call] = server.calls
    assert call.body["idempotencyToken"] == str(action.pk)
    assert call.headers["x-amz-target"] == "CodeBuild_20161006.StartBuild"


def test_a_project_that_is_not_there_is_a_refusal(connector: Connector, perform: Perform) -> None:
    action = perform("codebuild", connector="my-aws", project="missing")
    assert action.status == "failed"
    assert the_log() == [("codebuild:start_build", 400, "refused")]


@pytest.mark.parametrize("answer", ["drop", (500, {"message": "oops"})])
def test_a_start_in_doubt_is_not_repeated(
    incident: Incident, perform: Perform, answer: Any
) -> None:
    """Neither by us nor by botocore, which would by itself."""
    with a_server(lambda call: answer) as server:
        settings = {"region": "eu-central-1", "endpoint_url": server.url}
        a_connector(incident.tenant, "aws", settings=settings, secret=KEYS)
        action = perform("codebuild", connector="my-aws", project="rebuild")
        assert action.status == "unknown"
        assert ask(action).status == "unknown"
    assert len(server.calls) == 1


def test_nobody_there_is_a_refusal(incident: Incident, perform: Perform) -> None:
    settings = {"region": "eu-central-1", "endpoint_url": "http://127.0.0.1:9"}
    a_connector(incident.tenant, "aws", settings=settings, secret=KEYS)
    assert perform("codebuild", connector="my-aws", project="rebuild").status == "failed"
    assert the_log() == [("codebuild:start_build", 0, "refused")]


def test_it_publishes_to_a_topic(connector: Connector, perform: Perform, moto: str) -> None:
    topic = client("sns", moto).create_topic(Name="on-call")["TopicArn"]
    action = perform("sns", connector="my-aws", topic=topic, message="Help", subject="A\nB")
    assert action.status == "succeeded"
    assert re.fullmatch(r"[0-9a-f-]{36}", action.result["message_id"])
    assert the_log() == [("sns:publish", 200, "accepted")]
    assert not kind_named("sns").acts, "telling people is never held back"


def test_its_connection_is_tested_by_asking_who_it_is(connector: Connector) -> None:
    outcome = run_test(connector)
    assert (outcome.certainty, outcome.detail) == ("accepted", "Signed in to account 123456789012.")
    assert the_log() == [("sts:get_caller_identity", 200, "accepted")]


def test_without_boto3_it_says_what_is_missing(
    connector: Connector, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "boto3":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    action = perform("codebuild", connector="my-aws", project="rebuild")
    assert action.status == "failed"
    assert "requirements-aws.txt" in action.result["detail"]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"region": "../evil"},
        {"region": "eu-central-1.evil.example/#"},
        {"region": "eu-central-1\n"},
        {"region": "eu-central-1", "endpoint_url": "https://example.org/"},
        {"region": "eu-central-1", "endpoint_url": "http://169.254.169.254/"},
        {"region": "eu-central-1", "profile": "operator"},
    ],
)
def test_its_settings_lead_to_aws_or_to_a_named_host(settings: dict[str, Any]) -> None:
    """boto3 resolves names by itself, so it gets no address that anybody can enter."""
    assert CONNECTOR.check(settings, ("127.0.0.1",))


def test_every_kind_of_connector_is_found_by_being_there() -> None:
    from actions.connectors.kind import connector_kinds

    assert set(connector_kinds()) == {"http", "airflow", "github", "aws"}
    assert all(hasattr(kinds, name) for name in connector_kinds())
