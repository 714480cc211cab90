"""A tenant of a test's own on the running site, with a workflow engine that fails for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import httpx
from django.utils import timezone

from simulator.engine import Engine, ScenarioRun
from simulator.workflows import DEMO_DIRECTORY, Directory
from tests.e2e.site import Site
from tests.e2e.stagehand import Stagehand

PATIENCE_SECONDS = 60
# Longer than any test: what the engine took over stays unfinished until the test ends it.
NEVER_SECONDS = 3_600


@dataclass(frozen=True)
class World:
    """The tenant as its sender knows it: its ids and people, its engine, and the REST API."""

    site: Site
    tenant_id: str
    tenant_name: str
    workflows: Mapping[str, str]
    people: Mapping[str, str]
    engine: Engine
    api: httpx.Client

    def fail(self, scenario: str, items: int = 2, **options: Any) -> ScenarioRun:
        """Let the scenario happen; every event is accepted when this returns."""
        run = self.engine.run_scenario(scenario, items=items, **options)
        assert len(run.event_ids) == len(run.deliveries), run.as_dict()
        return run

    def hold_reruns(self) -> None:
        """The engine takes retries in from now, and leaves them unfinished."""
        self.engine.control(delay_seconds=NEVER_SECONDS)

    def get(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """The newest rows of a list of the API."""
        rows: list[dict[str, Any]] = (
            self.api.get(path, params=parameters).raise_for_status().json()["results"]
        )
        return rows

    def post_event(self, **changes: Any) -> str:
        """Post one failure of payments.capture; the accepted event's id."""
        document = {
            "tenant_id": self.tenant_id,
            "workflow_id": self.workflows["payments.capture"],
            "event_type": "payment.failed",
            "payload": {"error_code": "expired_key", "error_message": "API key expired"},
            # A failure without one would be over with the next success of the workflow.
            "resource_type": "payment",
            "resource_id": f"pi_{uuid4().hex}",
            "idempotency_key": f"e2e-{uuid4()}",
            "occurred_at": timezone.now().isoformat(),
            "schema_version": "1.0.0",
        } | changes
        answer = self.api.post("/events", json=document)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["event_id"])

    def await_incident(self, state: str, **more: str) -> dict[str, Any]:
        """The newest incident, once it is in that state (and its fields have the other values)."""
        wanted = {"state": state, **more}

        def look() -> dict[str, Any] | None:
            newest = next(iter(self.get("/incidents")), {})
            return newest if wanted.items() <= newest.items() else None

        found: dict[str, Any] = await_(look, f"an incident with {wanted}")
        return found


def await_(look: Callable[[], Any], what: str) -> Any:
    """What `look` returns once it is not empty; fails the test when patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (seen := look()):
        assert time.monotonic() < deadline, f"never seen: {what}"
        time.sleep(0.05)
    return seen


@contextmanager
def a_world(site: Site, stagehand: Stagehand) -> Iterator[World]:
    """A new tenant whose engine answers retries at once, and fails for nobody else."""
    made = stagehand("make_tenant")
    workflows = tuple(replace(w, id=made["workflows"][w.name]) for w in DEMO_DIRECTORY.workflows)
    directory = Directory(made["tenant_id"], workflows)
    key = made.pop("key")
    with (
        Engine(site.url, key, delay_seconds=0.2, directory=directory) as engine,
        httpx.Client(
            base_url=f"{site.url}/api/v1",
            headers={"Authorization": f"Bearer {key}"},
            timeout=15,
            trust_env=False,
        ) as api,
    ):
        where = {"url": engine.retry_url, "secret": engine.secret}
        stagehand("retry_at", tenant_id=made["tenant_id"], **where)
        yield World(site=site, engine=engine, api=api, **made)
