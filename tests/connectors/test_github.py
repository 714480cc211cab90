"""Running the failed jobs of a GitHub run again [A7]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from actions.models import Action
from incidents.models import Incident
from tests.connectors.conftest import Perform, a_connector, ask
from tests.connectors.servers import Call, GitHub, Server, a_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def github() -> GitHub:
    return GitHub()


@pytest.fixture(autouse=True)
def server(github: GitHub, incident: Incident) -> Iterator[Server]:
    with a_server(github) as server:
        settings = {"base_url": server.url}
        a_connector(incident.tenant, "github", settings=settings, secret="canary-of-github")
        yield server


def rerun(perform: Perform) -> Action:
    given = {"connector": "my-github", "repository": "acme/site", "run_id": 7}
    return perform("github_rerun", **given)


@pytest.mark.parametrize(("end", "state"), [("success", "succeeded"), ("failure", "failed")])
def test_it_runs_the_failed_jobs_again_and_waits(
    perform: Perform, github: GitHub, server: Server, end: str, state: str
) -> None:
    action = rerun(perform)
    run = "/repos/acme/site/actions/runs/7"
    assert server.made() == [("GET", run), ("POST", f"{run}/rerun-failed-jobs")]
    assert (action.status, action.result["run_attempt"]) == ("verifying", 2)
    assert ask(action).status == "verifying"
    github.run |= {"status": "completed", "conclusion": end}
    assert ask(action).status == state


def test_an_attempt_of_before_is_not_taken_for_the_new_one(
    perform: Perform, github: GitHub
) -> None:
    """GitHub shows the old attempt for a while: its end is not the new one's."""
    action = rerun(perform)
    github.run |= {"run_attempt": 1, "status": "completed", "conclusion": "failure"}
    assert ask(action).status == "verifying"


def test_the_attempts_number_shows_that_a_lost_call_arrived(
    perform: Perform, github: GitHub
) -> None:
    github.drops = True
    action = rerun(perform)
    assert action.status == "unknown"
    assert ask(action).status == "verifying"


def test_a_refusal_is_told_without_the_token(perform: Perform, github: GitHub) -> None:
    github.forbids = True
    action = rerun(perform)
    assert (action.status, action.result["status"]) == ("failed", 403)
    assert "canary-of-github" not in str(action.result)


def test_a_run_that_is_not_shown_is_not_run_again(perform: Perform, server: Server) -> None:
    def lost(call: Call) -> Any:
        return "drop" if call.method == "GET" else (201, {})

    server.answer = lost
    assert rerun(perform).status == "failed"
    assert [method for method, _ in server.made()] == ["GET"]
