"""Scripted failures: what breaks, when a retry helps, what AWFDRS is expected to make of it.

Each file of ``scenarios/`` is one scenario; a new one is a file you copy.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from simulator.workflows import DEMO_DIRECTORY

SCENARIO_FOLDER = Path(__file__).with_name("scenarios")


class ScenarioError(Exception):
    """A scenario file is wrong; the text names the file and the key."""


class RecoveryKind(StrEnum):
    """What ends the trouble. The unit of `Recovery.low` and `high` follows from it."""

    RETRY = "retry"  # the n-th retry succeeds; n
    OUTAGE = "outage"  # all of the vendor's runs fail until it ends; seconds
    ITSELF = "itself"  # the engine's own later run succeeds, asked or not; seconds
    PERSON = "person"  # no retry helps; in the demo somebody mends it later; seconds


@dataclass(frozen=True)
class Recovery:
    """When runs succeed again: a number drawn from low…high, in the unit of `kind`."""

    kind: RecoveryKind
    low: int
    high: int

    def draw(self, rng: random.Random) -> int:
        """One number of the range."""
        return rng.randint(self.low, self.high)


@dataclass(frozen=True)
class Failure:
    """How one failing run looks in its event. `messages` are format strings."""

    workflow: str
    messages: tuple[str, ...]
    severity: str
    duration_ms: tuple[int, int]
    event_type: str | None = None
    error_code: str | None = None
    vendor: str | None = None
    stack: str | None = None


@dataclass(frozen=True)
class Change:
    """A change event posted shortly before the failures, as their likely cause."""

    event_type: str
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Expected:
    """What AWFDRS is expected to do, for the drill.

    action: retry | escalate | none. gate: run | wait (a person decides) | defer | block, as in
    the action's receipt. final_status: the incident's, after an approval where the gate waits
    for one and after the trouble has ended where it ends by itself.
    """

    action: str
    gate: str
    final_status: str


@dataclass(frozen=True)
class Scenario:
    """One scripted failure. `weight` is how often the demo plays it; 0 is never."""

    name: str
    title: str
    failure: Failure
    items: tuple[int, int]
    spread_seconds: tuple[int, int]
    recovery: Recovery
    expected: Expected
    weight: int = 1
    before: Change | None = None
    follow_on: Failure | None = None

    @property
    def workflow(self) -> str:
        """The name of the workflow that fails."""
        return self.failure.workflow


_EXPECTED_VALUES = {
    "action": {"retry", "escalate", "none"},
    "gate": {"run", "wait", "defer", "block"},
    "final_status": {"new", "analyzing", "actioned", "resolved", "ignored"},
}


def _range(value: Any) -> tuple[int, int]:
    low, high = value
    if not (isinstance(low, int) and isinstance(high, int) and 0 <= low <= high):
        raise ValueError(f"{value!r} is not a range")
    return low, high


def _failure(entry: dict[str, Any]) -> Failure:
    workflow = DEMO_DIRECTORY.find(entry["workflow"])
    if workflow is None:
        raise ValueError(f"unknown workflow {entry['workflow']!r}")
    entry = {"vendor": workflow.vendor, **entry}
    entry["messages"] = tuple(entry["messages"])
    entry["duration_ms"] = _range(entry["duration_ms"])
    return Failure(**entry)


def _expected(entry: dict[str, Any]) -> Expected:
    for key, allowed in _EXPECTED_VALUES.items():
        if entry[key] not in allowed:
            raise ValueError(f"expected.{key} is none of {', '.join(sorted(allowed))}")
    return Expected(**entry)


def parse_scenario(name: str, document: dict[str, Any]) -> Scenario:
    """The scenario a document describes; ScenarioError says what is wrong with it."""
    entry = dict(document)
    try:
        recovery = entry.pop("recovery")
        before = entry.pop("before", None)
        follow_on = entry.pop("follow_on", None)
        return Scenario(
            name=name,
            failure=_failure(entry.pop("failure")),
            items=_range(entry.pop("items")),
            spread_seconds=_range(entry.pop("spread_seconds")),
            recovery=Recovery(RecoveryKind(recovery["kind"]), *_range(recovery["range"])),
            expected=_expected(entry.pop("expected")),
            before=Change(**before) if before else None,
            follow_on=_failure(follow_on) if follow_on else None,
            **entry,
        )
    except KeyError as error:
        raise ScenarioError(f"scenario {name}: {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise ScenarioError(f"scenario {name}: {error}") from error


@cache
def all_scenarios() -> Mapping[str, Scenario]:
    """Every scenario by name, in the order of their names; ScenarioError when a file is wrong."""
    scenarios = {}
    for path in sorted(SCENARIO_FOLDER.glob("*.yaml")):
        document = yaml.safe_load(path.read_text("utf-8"))
        if not isinstance(document, dict):
            raise ScenarioError(f"scenario {path.stem}: not a mapping")
        scenarios[path.stem] = parse_scenario(path.stem, document)
    return scenarios
