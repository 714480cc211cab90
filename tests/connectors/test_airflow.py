"""Clearing the tasks of an Airflow run [A7]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from actions.catalog import kind_named
from actions.models import Action
from incidents.models import Incident
from tests.connectors.conftest import Perform, a_connector, ask
from tests.connectors.servers import Airflow, Server, a_server

RUN = "manual__2026-01-01T00:00:00+00:00"
pytestmark = pytest.mark.django_db


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture(autouse=True)
def server(airflow: Airflow, incident: Incident) -> Iterator[Server]:
    with a_server(airflow) as server:
        settings = {"base_url": server.url}
        a_connector(incident.tenant, "airflow", settings=settings, secret="canary-of-airflow")
        yield server


def clear(perform: Perform, **more: Any) -> Action:
    given = {"connector": "my-airflow", "dag_id": "etl", "dag_run_id": RUN}
    return perform("airflow_clear", **given | more)


@pytest.mark.parametrize(("end", "state"), [("success", "succeeded"), ("failed", "failed")])
def test_it_clears_and_waits_for_the_run(
    perform: Perform, airflow: Airflow, server: Server, end: str, state: str
) -> None:
    action = clear(perform, task_ids=["load"])
    assert server.calls[0].body == {
        "dry_run": False, "dag_run_id": RUN, "only_failed": True, "reset_dag_runs": True,
        "task_ids": ["load"],
    }  # fmt: skip
    assert (action.status, action.result["cleared"]) == ("verifying", 1)
    airflow.state = "running"
    assert ask(action).status == "verifying"
    airflow.state = end
    assert ask(action).status == state


def test_nothing_to_clear_is_a_refusal(perform: Perform) -> None:
    assert clear(perform, task_ids=["other"]).status == "failed"


def test_a_run_that_works_shows_that_a_lost_call_arrived(
    perform: Perform, airflow: Airflow
) -> None:
    """One that had failed before and still has proves nothing."""
    airflow.drops = True
    action = clear(perform)
    assert action.status == "unknown"
    airflow.state = "failed"
    assert ask(action).status == "unknown"
    airflow.state = "running"
    assert ask(action).status == "verifying"


@pytest.mark.parametrize(
    "given", [{"dag_id": ".."}, {"dag_id": "a/b"}, {"dag_run_id": ".."}, {"dag_run_id": ""}]
)
def test_its_names_stay_in_their_place(given: dict[str, Any]) -> None:
    good = {"connector": "c", "dag_id": "etl", "dag_run_id": RUN}
    assert kind_named("airflow_clear").check(good) == []
    assert kind_named("airflow_clear").check(good | given)
