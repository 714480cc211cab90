"""The demo's traffic: mostly successful runs, now and then a burst of failures that ends."""

import math
import random
import threading
import time
from collections.abc import Iterator

from simulator.engine import Engine, ScenarioRun
from simulator.scenario import Change, RecoveryKind, Scenario, all_scenarios
from simulator.sender import SenderStoppedError

# A day in a quarter of an hour: enough for a wave to be seen on a chart of the last hour.
WAVE_SECONDS = 900.0
WAVE_SHARE = 0.35
CALM_SECONDS = (30.0, 80.0)
FIRST_BURST_SECONDS = 8.0
DEPLOY_SECONDS = (240.0, 540.0)
# Who waits longer than this for an approval finds that a colleague ran the items by hand.
LEFTOVER_SECONDS = 1_200.0
AFTER_OUTAGE_SECONDS = 240.0

# What a first visitor sees first: a recovery without a person, one with a click, an escalation.
OPENING = ("payment-timeout", "lock-contention", "expired-credential")

DEPLOYS = (
    ("payments.capture", "payments 5.12.{n}: retry budget per vendor", "payments"),
    ("crm.contact-sync", "crm-sync 3.8.{n}: smaller upsert batches", "crm-sync"),
    ("email.receipt-send", "receipts 2.41.{n}: new footer", "receipts"),
    ("warehouse.pipeline", "warehouse 1.19.{n}: index on stock movements", "warehouse"),
)


def runs_per_second(rate: float, elapsed_seconds: float) -> float:
    """The rate (runs a minute) on its daily wave, `elapsed_seconds` after the start."""
    wave = math.sin(2 * math.pi * elapsed_seconds / WAVE_SECONDS)
    return rate / 60.0 * (1.0 + WAVE_SHARE * wave)


def scenario_order(rng: random.Random) -> Iterator[Scenario]:
    """Scenarios without end: the opening, then drawn by weight, never the same twice in a row."""
    known = all_scenarios()
    yield from (known[name] for name in OPENING)
    scenarios = [scenario for scenario in known.values() if scenario.weight > 0]
    last = known[OPENING[-1]]
    while True:
        choice = [scenario for scenario in scenarios if scenario is not last]
        last = rng.choices(choice, [scenario.weight for scenario in choice])[0]
        yield last


def mend_after_seconds(scenario: Scenario, drawn_seconds: float) -> float | None:
    """When somebody runs by hand what is still failed; None where the engine does it itself.

    `drawn_seconds` is a draw of the scenario's recovery range.
    """
    match scenario.recovery.kind:
        case RecoveryKind.PERSON:
            return drawn_seconds
        case RecoveryKind.OUTAGE:
            return drawn_seconds + AFTER_OUTAGE_SECONDS
        case RecoveryKind.RETRY:
            return LEFTOVER_SECONDS
        case RecoveryKind.ITSELF:
            return None


class Story:
    """Feeds an engine with runs at `rate` a minute over all workflows, and with bursts."""

    def __init__(self, engine: Engine, rate: float) -> None:
        self._engine = engine
        self._rate = rate
        # Its own generator: the choice of scenarios does not depend on how threads interleave.
        self._rng = random.Random(engine.rng.getrandbits(64))
        self._order = scenario_order(self._rng)
        self._thread = threading.Thread(target=self._run, name="story", daemon=True)

    def start(self) -> None:
        """Start; it ends with the engine."""
        self._thread.start()
        self._engine.later(FIRST_BURST_SECONDS, self._burst)
        self._engine.later(self._rng.uniform(*DEPLOY_SECONDS) / 4, self._deploy)

    def _run(self) -> None:
        begun = time.monotonic()
        while True:
            pace = runs_per_second(self._rate, time.monotonic() - begun)
            if self._engine.stopping.wait(self._rng.expovariate(pace)):
                return
            try:
                self._one_run()
            except SenderStoppedError:
                return

    def _one_run(self) -> None:
        """One ordinary run: it succeeds, unless its vendor is down."""
        workflows = self._engine.directory.workflows
        workflow = self._rng.choices(workflows, [w.share for w in workflows])[0]
        outage = self._engine.troubles.outage_of(workflow.vendor, time.monotonic())
        if outage is not None:
            self._engine.fail_in_outage(outage, workflow)
        else:
            self._engine.reporter.succeeded(workflow, workflow.new_resource(self._rng))

    def _burst(self) -> None:
        """Play the next scenario, spread over its seconds, then be calm for a while."""
        scenario = next(self._order)
        drawn = scenario.recovery.draw(self._rng)
        in_seconds = scenario.recovery.kind in (RecoveryKind.OUTAGE, RecoveryKind.ITSELF)
        run = self._engine.begin_scenario(
            scenario.name, recovers_after=drawn if in_seconds else None
        )
        spread = self._rng.uniform(*scenario.spread_seconds)
        for _ in range(self._rng.randint(*scenario.items)):
            self._fail_later(run, self._rng.uniform(0.0, spread))
        mend_after = mend_after_seconds(scenario, drawn)
        if mend_after is not None:
            self._engine.later(spread + mend_after, lambda: self._mend(run))
        self._engine.later(spread + self._rng.uniform(*CALM_SECONDS), self._burst)

    def _fail_later(self, run: ScenarioRun, seconds: float) -> None:
        self._engine.later(seconds, lambda: self._engine.fail_one(run))

    def _mend(self, run: ScenarioRun) -> None:
        left = [item for item in run.trouble.items if not item.healed]
        if left and run.scenario.recovery.kind is RecoveryKind.PERSON:
            self._engine.announce_fix(run.trouble)
        self._engine.mend(run.trouble)

    def _deploy(self) -> None:
        """A harmless release, so that not every change is somebody's fault."""
        name, summary, service = self._rng.choice(DEPLOYS)
        workflow = self._engine.directory.find(name)
        if workflow is not None:
            payload = {
                "summary": summary.format(n=self._rng.randint(0, 40)),
                "service": service,
                "changed_by": "release-train",
            }
            self._engine.reporter.changed(workflow, Change("deploy.rolled_out", payload))
        self._engine.later(self._rng.uniform(*DEPLOY_SECONDS), self._deploy)
