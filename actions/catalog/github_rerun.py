"""Run again the failed jobs of a GitHub Actions run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import msgspec

from actions.catalog.connected import Connected
from actions.catalog.kind import Outcome
from actions.connectors.calling import Caller, Link, Refused, document
from actions.connectors.kinds.github import headers_of, url_of
from actions.outbound import AnswerLost
from actions.retry_call import answered

_NAME = r"^(?!\.+/)[\w.-]+/(?!\.+$)[\w.-]+\Z"


class RerunParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`repository`: owner/name."""

    connector: str
    repository: Annotated[str, msgspec.Meta(pattern=_NAME, max_length=200)]
    run_id: Annotated[int, msgspec.Meta(gt=0)]


class GitHubRerun(Connected):
    name = "github_rerun"
    label = "Re-run failed GitHub jobs"
    says = "Runs the failed jobs of a GitHub Actions run again."
    goes_to = "GitHub"
    parameters = RerunParameters
    via = "github"
    ends = "when_asked"

    def target(self, link: Link, parameters: RerunParameters) -> tuple[str, str]:
        return "POST", _run_url(link, parameters) + "/rerun-failed-jobs"

    def send(self, caller: Caller, parameters: RerunParameters, key: str, now: datetime) -> Outcome:
        """First which attempt the run is at: by a later one the new attempt is known again."""
        try:
            attempt = _look(caller, parameters).get("run_attempt")
        except AnswerLost as error:
            raise Refused(0, f"GitHub does not answer; nothing was sent: {error}") from error
        if not isinstance(attempt, int):
            raise Refused(0, "GitHub does not tell which attempt the run is at; nothing was sent.")
        expected = {"run_id": parameters.run_id, "run_attempt": attempt + 1}
        method, url = self.target(caller.link, parameters)
        try:
            outcome = answered(caller.http(method, url, headers_of(caller.link)))
        except AnswerLost as error:
            outcome = Outcome("unknown", 0, f"The answer was lost: {error}")
        return replace(outcome, result=expected)

    def question(
        self,
        caller: Caller,
        parameters: RerunParameters,
        key: str,
        now: datetime,
        result: Mapping[str, Any],
    ) -> Outcome:
        """The run has the attempt that was asked for, and it has ended or not."""
        run = _look(caller, parameters)
        status, conclusion = run.get("status"), run.get("conclusion")
        expected, attempt = result.get("run_attempt"), run.get("run_attempt")
        if not isinstance(attempt, int) or expected is None or attempt < expected:
            return Outcome("unknown", 200, f"The run is at attempt {attempt}.")
        if status != "completed":
            return Outcome("accepted", 200, f"The run is {status}.")
        return Outcome(
            "accepted", 200, f"The run ended: {conclusion}.", ended=conclusion == "success"
        )


def _run_url(link: Link, parameters: RerunParameters) -> str:
    return url_of(link, f"/repos/{parameters.repository}/actions/runs/{parameters.run_id}")


def _look(caller: Caller, parameters: RerunParameters) -> dict[str, Any]:
    """The run as GitHub has it. Raises Refused, or as `Caller.http`."""
    reply = caller.http("GET", _run_url(caller.link, parameters), headers_of(caller.link))
    if reply.status != 200:
        raise Refused(reply.status, f"GitHub does not show the run: HTTP {reply.status}.")
    return document(reply)


KIND = GitHubRerun()
