"""What a drill asks of the engine by HTTP: play a scenario, inject a fault, read the ledger."""

import json
import threading
from typing import Any, Protocol

from simulator.faults import ControlError, Faults
from simulator.ledger import Ledger
from simulator.reruns import Reruns
from simulator.retry_protocol import RefusedError
from simulator.scenario import all_scenarios
from simulator.workflows import Directory

Answer = tuple[int, dict[str, Any]]


class Played(Protocol):
    """A scenario that was played."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""


class Host(Protocol):
    """What the endpoint needs of the engine it belongs to."""

    directory: Directory
    secret: str
    faults: Faults
    reruns: Reruns
    stopping: threading.Event

    def status(self) -> dict[str, Any]:
        """Counts and what is broken now."""

    def end_outage(self, vendor: str) -> int:
        """The vendor is back; how many outages ended."""

    def run_scenario(
        self, name: str, *, items: int | None, recovers_after: float | None, wait_seconds: float
    ) -> Played:
        """Play a scenario; KeyError for an unknown name."""


def answer(
    engine: Host,
    ledger: Ledger,
    route: tuple[str, ...],
    query: dict[str, list[str]],
    body: bytes,
) -> Answer:
    """The answer to one request; `route` is the method and the parts of the path."""
    match route:
        case ("GET",):
            return 200, _index(engine)
        case ("GET", "health"):
            return 200, {"status": "ok"}
        case ("GET", "status"):
            return 200, engine.status()
        case ("GET", "ledger"):
            return 200, ledger.snapshot(query.get("key", [None])[0])
        case ("GET", "control"):
            return 200, engine.faults.as_dict()
        case ("POST", "control"):
            return _control(engine, _document(body))
        case ("POST", "fail"):
            return _fail(engine, _document(body))
    raise RefusedError(404, "not_found", "see GET / for what there is")


def _index(engine: Host) -> dict[str, Any]:
    return {
        "name": "AWFDRS workflow simulator",
        "retry": ["POST /retry", "POST /retry/{workflow}", "GET /retry/{idempotency_key}"],
        "drill": ["POST /fail", "GET|POST /control", "GET /ledger", "GET /status", "GET /health"],
        "tenant_id": engine.directory.tenant_id,
        "workflows": {workflow.name: workflow.id for workflow in engine.directory.workflows},
        "scenarios": list(all_scenarios()),
    }


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "invalid_json", "not JSON") from error
    if not isinstance(document, dict):
        raise RefusedError(400, "invalid_request", "send a JSON object")
    return document


def _control(engine: Host, document: dict[str, Any]) -> Answer:
    vendor = document.pop("end_outage", None)
    try:
        engine.faults.change(**document)
    except ControlError as error:
        raise RefusedError(400, "invalid_request", str(error)) from error
    answer = engine.faults.as_dict()
    if vendor is not None:
        answer["outages_ended"] = engine.end_outage(str(vendor))
    return 200, answer


def _fail(engine: Host, document: dict[str, Any]) -> Answer:
    name = document.get("scenario")
    if not isinstance(name, str) or name not in all_scenarios():
        known = ", ".join(all_scenarios())
        raise RefusedError(404, "unknown_scenario", f"scenario is one of: {known}")
    items = _number(document, "items", 1, 1_000)
    if items is not None and items != int(items):
        raise RefusedError(400, "invalid_request", "items must be a whole number")
    run = engine.run_scenario(
        name,
        items=None if items is None else int(items),
        recovers_after=_number(document, "recovers_after", 0, 86_400),
        wait_seconds=_number(document, "wait_seconds", 0, 120) or 0.0,
    )
    return 202, run.as_dict()


def _number(document: dict[str, Any], name: str, low: int, high: int) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # A comparison with NaN is false, so NaN is refused too.
    if not number or not low <= value <= high:
        raise RefusedError(400, "invalid_request", f"{name} must be a number from {low} to {high}")
    return float(value)
