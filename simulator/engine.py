"""The engine: workflows that run and fail by script, a retry endpoint, everything reported."""

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from simulator.delivery import Delivery
from simulator.events import EventFactory, new_correlation_id
from simulator.faults import Behaviour, Faults
from simulator.ledger import Ledger
from simulator.reporter import Reporter
from simulator.reruns import Reruns
from simulator.retry_endpoint import RetryEndpoint
from simulator.scenario import Change, Failure, RecoveryKind, Scenario, all_scenarios
from simulator.scheduler import Scheduler
from simulator.sender import Counts, Sender, SenderStoppedError
from simulator.signing import new_secret, secret_key
from simulator.troubles import FailedItem, Trouble, Troubles
from simulator.workflows import DEMO_DIRECTORY, Directory, Resource, Workflow


@dataclass
class ScenarioRun:
    """One playing of a scenario: what failed, and the deliveries of its events so far."""

    scenario: Scenario
    trouble: Trouble
    workflow: Workflow
    items: list[FailedItem] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def resources(self) -> list[Resource]:
        """The resources that failed, causes and followers alike."""
        return [item.resource for item in self.items]

    @property
    def correlation_ids(self) -> list[str]:
        """One a run; a follower shares its cause's."""
        return list(dict.fromkeys(item.correlation_id for item in self.items))

    @property
    def event_ids(self) -> list[str]:
        """AWFDRS's ids of the accepted events."""
        return [delivery.event_id for delivery in self.deliveries if delivery.event_id]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "scenario": self.scenario.name,
            "workflow": self.workflow.name,
            "workflow_id": self.workflow.id,
            "resources": [
                {"resource_type": resource.type, "resource_id": resource.id}
                for resource in self.resources
            ],
            "correlation_ids": self.correlation_ids,
            "events": [
                {
                    "idempotency_key": delivery.event["idempotency_key"],
                    "event_type": delivery.event["event_type"],
                    "fate": delivery.fate,
                    "code": delivery.code,
                    "event_id": delivery.event_id,
                }
                for delivery in self.deliveries
            ],
        }


class UnknownScenarioError(KeyError):
    """No scenario has this name."""


class Engine:
    """A workflow engine on one port; use it as a context manager or call start and stop.

    `secret` signs retry requests (``whsec_…``); None draws one, readable as `engine.secret`.
    """

    def __init__(
        self,
        url: str,
        key: str,
        secret: str | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        directory: Directory = DEMO_DIRECTORY,
        seed: int | None = None,
        delay_seconds: float = 1.0,
        give_up_after_seconds: float = 3_600.0,
    ) -> None:
        self.directory = directory
        self.secret = secret or new_secret()
        for given in (self.secret, *directory.secrets.values()):
            secret_key(given)
        self.rng = random.Random(seed)
        self.troubles = Troubles()
        self.faults = Faults(delay_seconds)
        self.scheduler = Scheduler()
        self.sender = Sender(url, key, give_up_after_seconds=give_up_after_seconds)
        self.reporter = Reporter(EventFactory(directory.tenant_id), self.sender, self.rng)
        self._ledger = Ledger()
        self.reruns = Reruns(self.troubles, self.reporter, self.scheduler, self._ledger)
        self.stopping = threading.Event()
        self.endpoint = RetryEndpoint(self, self._ledger, host, port)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the retry endpoint and the sender."""
        self.scheduler.start()
        self.sender.start()
        self.endpoint.start()

    def stop(self, drain_seconds: float = 2.0) -> Counts:
        """Stop everything; events still queued are posted for at most `drain_seconds`."""
        self.stopping.set()
        self.scheduler.stop()
        self.endpoint.stop()
        return self.sender.stop(drain_seconds)

    @property
    def base_url(self) -> str:
        """Where the engine listens."""
        return self.endpoint.base_url

    @property
    def retry_url(self) -> str:
        """What a workflow's retry address in AWFDRS must be set to."""
        return self.base_url + "/retry"

    def ledger(self, key: str | None = None) -> dict[str, Any]:
        """Every request the retry endpoint received and what was executed, as plain data."""
        return self._ledger.snapshot(key)

    def control(self, **changes: Any) -> Behaviour:
        """Inject a fault or change the endpoint's behaviour; ControlError for a bad value."""
        return self.faults.change(**changes)

    def end_outage(self, vendor: str) -> int:
        """The vendor is back: retries succeed from now. How many outages ended."""
        return self.troubles.end_outages(vendor, time.monotonic())

    def status(self) -> dict[str, Any]:
        """Counts and what is broken now, as plain data."""
        return {
            "sender": self.sender.counts().as_dict(),
            "retries_run": self._ledger.total_executions(),
            "failed_items": len(self.troubles.failed()),
            "outages": self.troubles.outages(time.monotonic()),
            "behaviour": self.faults.as_dict(),
        }

    def run_scenario(
        self,
        name: str,
        *,
        items: int | None = None,
        recovers_after: float | None = None,
        wait_seconds: float = 30.0,
    ) -> ScenarioRun:
        """Play a scenario at once and wait until each of its events has a final fate.

        `items`: how many resources fail; `recovers_after`: instead of a number drawn from the
        scenario's range, in its unit (retries or seconds). A trouble that a person mends never
        ends here unless `recovers_after` is given. UnknownScenarioError for a wrong name; when
        `wait_seconds` are over, the deliveries returned may still be pending.
        """
        run = self.begin_scenario(name, recovers_after=recovers_after)
        count = self.rng.randint(*run.scenario.items) if items is None else items
        for _ in range(count):
            self.fail_one(run)
        deadline = time.monotonic() + wait_seconds
        for delivery in list(run.deliveries):
            delivery.wait(max(0.0, deadline - time.monotonic()))
        return run

    def begin_scenario(self, name: str, *, recovers_after: float | None = None) -> ScenarioRun:
        """Start a scenario's trouble and post its change event; nothing has failed yet."""
        scenario = all_scenarios().get(name)
        if scenario is None:
            raise UnknownScenarioError(name)
        kind = scenario.recovery.kind
        drawn = scenario.recovery.draw(self.rng) if recovers_after is None else recovers_after
        ends = kind in (RecoveryKind.OUTAGE, RecoveryKind.ITSELF) or (
            kind is RecoveryKind.PERSON and recovers_after is not None
        )
        trouble = Trouble(
            scenario,
            ends_at=time.monotonic() + drawn if ends else None,
            retries_needed=int(drawn) if kind is RecoveryKind.RETRY else None,
        )
        if kind is RecoveryKind.OUTAGE:
            self.troubles.begin_outage(trouble)
        elif kind is RecoveryKind.ITSELF:
            self.later(drawn, lambda: self.mend(trouble))
        run = ScenarioRun(scenario, trouble, self._workflow(scenario.workflow))
        if scenario.before is not None:
            run.deliveries.append(self.reporter.changed(run.workflow, scenario.before))
        return run

    def fail_one(self, run: ScenarioRun) -> None:
        """Let one more run fail by the scenario's trouble, and what depends on it."""
        item = self._fail(run, run.scenario.failure, None)
        if run.scenario.follow_on is not None:
            self._fail(run, run.scenario.follow_on, item)

    def fail_in_outage(self, trouble: Trouble, workflow: Workflow) -> None:
        """Let an ordinary run fail because its vendor is down."""
        self._fail(ScenarioRun(trouble.scenario, trouble, workflow), trouble.scenario.failure, None)

    def mend(self, trouble: Trouble) -> None:
        """The trouble is over: the engine runs what is still failed again, without being asked."""
        trouble.ends_at = time.monotonic()
        self.reruns.rerun_items([item for item in trouble.items if not item.healed])

    def announce_fix(self, trouble: Trouble) -> None:
        """Post the change event of a person's fix."""
        payload = {"summary": f"Fix: {trouble.scenario.title}", "changed_by": "on-call"}
        workflow = self._workflow(trouble.scenario.workflow)
        self.reporter.changed(workflow, Change("change.fix_applied", payload))

    def later(self, delay_seconds: float, call: Callable[[], object]) -> None:
        """Call something later in the engine's own thread; what it posts after stop is dropped."""

        def call_unless_stopped() -> None:
            with contextlib.suppress(SenderStoppedError):
                call()

        self.scheduler.call_later(delay_seconds, call_unless_stopped)

    def _workflow(self, name: str) -> Workflow:
        workflow = self.directory.find(name)
        if workflow is None:
            raise UnknownScenarioError(name)
        return workflow

    def _fail(self, run: ScenarioRun, failure: Failure, cause: FailedItem | None) -> FailedItem:
        workflow = self._workflow(failure.workflow)
        item = FailedItem(
            workflow=workflow,
            resource=workflow.new_resource(self.rng),
            failure=failure,
            correlation_id=cause.correlation_id if cause else new_correlation_id(),
            trouble=run.trouble,
            details=workflow.details(self.rng),
            # A follower heals by its cause alone.
            retries_needed=None if cause else run.trouble.retries_needed,
            cause=cause,
        )
        # Known before it is reported: a retry may come back faster than this call returns.
        self.troubles.add(item)
        run.items.append(item)
        run.deliveries.append(self.reporter.failed(item))
        return item
