"""Start a build of AWS CodeBuild; its end is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec

from actions.catalog.connected import Connected
from actions.catalog.kind import Outcome
from actions.connectors.calling import Caller, Link
from actions.connectors.kinds import aws


class BuildParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`environment`: variables of the build."""

    connector: str
    project: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{1,149}\Z")]
    environment: dict[str, str] = {}


class CodeBuild(Connected):
    name = "codebuild"
    label = "Start a CodeBuild build"
    says = "Starts a build of AWS CodeBuild."
    goes_to = "CodeBuild"
    parameters = BuildParameters
    via = "aws"
    ends = "when_asked"

    def target(self, link: Link, parameters: BuildParameters) -> tuple[str, str]:
        host = (
            link.settings.endpoint_url or f"https://codebuild.{link.settings.region}.amazonaws.com"
        )
        return "StartBuild", f"{host.rstrip('/')}/{parameters.project}"

    def send(self, caller: Caller, parameters: BuildParameters, key: str, now: datetime) -> Outcome:
        """The token makes a second start of the same action the same build, for five minutes."""
        variables = [
            {"name": name, "value": value, "type": "PLAINTEXT"}
            for name, value in parameters.environment.items()
        ]
        answer = aws.call(
            caller,
            "codebuild",
            "start_build",
            projectName=parameters.project,
            idempotencyToken=key,
            environmentVariablesOverride=variables,
        )
        build_id = answer["build"]["id"]
        return Outcome("accepted", 200, f"Build {build_id}", result={"build_id": build_id})

    def question(
        self,
        caller: Caller,
        parameters: BuildParameters,
        key: str,
        now: datetime,
        result: Mapping[str, Any],
    ) -> Outcome:
        """The build's status. One whose id was lost cannot be found again: it stays in doubt."""
        if "build_id" not in result:
            return Outcome("unknown", 0, "The id of the build was lost; look at CodeBuild.")
        answer = aws.call(caller, "codebuild", "batch_get_builds", ids=[result["build_id"]])
        status = next((build["buildStatus"] for build in answer["builds"]), "not found")
        ended = None if status == "IN_PROGRESS" else status == "SUCCEEDED"
        return Outcome("accepted", 200, f"The build is {status}.", ended=ended)


KIND = CodeBuild()
