"""A what-if against what then happened: the same story under present rules and under a draft."""

from __future__ import annotations

import io
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.drill.result import Result, await_
from bench.drill.stage_set import Stage, a_stage
from bench.instance import Instance
from simulator.engine import ScenarioRun

# Twice, so that incidents come back and each side remembers how its own retries ended.
STORY = (
    "payment-timeout", "lock-contention", "connection-reset", "unknown-error", "card-declined",
    "bad-data",
) * 2  # fmt: skip
# In the story every trouble is mended this long after its recovery has ended, helped or not: so
# every first retry, also one that the draft alone would send, is due before.
MENDED_AFTER_SECONDS = 2.0
# Each confidence of the story is away from both lines, so that what depends on the minute does not
# decide.
DEFAULTS: dict[str, Any] = {"verify_seconds": 60, "confidence_threshold": 0.75}
PRESENT: dict[str, Any] = {"automation": {"defaults": DEFAULTS}}
# Payments: a person, no retry. The CRM: more care. Receipts: what was unknown is retried.
DRAFT: dict[str, Any] = {
    "error_codes": {
        "payment_timeout": {
            "severity": "high",
            "category": "transient_timeout",
            "retry_policy": "no_retry",
            "escalate": True,
        }
    },
    "message_patterns": [
        {
            "name": "half-rendered",
            "pattern": "HALF_RENDERED",
            "severity": "medium",
            "category": "transient_timeout",
            "retry_policy": "quick_retry",
        }
    ],
    "automation": {
        "defaults": DEFAULTS,
        "workflows": {
            "crm.contact-sync": {"confidence_threshold": 0.97},
            "email.receipt-send": {"confidence_threshold": 0.3},
        },
    },
}
# Payments need two retries, of which one fails; the receipts' trouble is over by the first.
RECOVERS_AFTER = {"payment-timeout": 2.0, "unknown-error": 0.0}
SEED = 8
FIGURES = ("incidents", "reopened", "retries", "approvals", "escalations", "blocked")
_UNDER_WAY = {"planned", "claimed", "sending", "verifying", "unknown"}


def what_if(instance: Instance) -> Result:
    """Every figure as predicted, for the rules as they are and for the draft.

    Exact, not within a band: the engine reports how each run ends, chance in the delays changes no
    count, the names are the same both times, and each trouble fails one run, for how much of a
    burst a decision sees is chance. docs/rules.md says what else a replay cannot know.
    """
    with a_stage(instance, SEED) as stage:
        _import(stage, PRESENT)
        events = _play(stage)
        answer = stage.post("/rules/what-if", {"days": 1, "rules": DRAFT})
        answer.raise_for_status()
        predicted, past = answer.json(), _figures(stage)
    with a_stage(instance, SEED) as stage:
        _import(stage, PRESENT)
        _import(stage, DRAFT)
        events += _play(stage)
        came = _figures(stage)
    result = Result("what-if", events=events, incidents=past["incidents"] + came["incidents"])
    result.outcome = f"{predicted['changed_incidents']} of {past['incidents']} changed"
    result.table = [("what-if", "now: replayed", "happened", "draft: predicted", "happened")]
    for name in FIGURES:
        figures = predicted["now"][name], past[name], predicted["draft"][name], came[name]
        result.table.append((name, *map(str, figures)))
        result.expect(f"{name} as they were: {figures[:2]}", kept=figures[0] == figures[1])
        result.expect(f"{name} as predicted: {figures[2:]}", kept=figures[2] == figures[3])
    result.expect("the draft changes something", kept=predicted["now"] != predicted["draft"])
    return result


def _import(stage: Stage, rules: dict[str, Any]) -> None:
    from django.core.management import call_command

    with TemporaryDirectory() as folder:
        path = Path(folder) / "draft.yaml"
        path.write_text(json.dumps(rules))
        tenant = stage.engine.directory.tenant_id
        call_command("rules", "import", str(path), "--tenant", tenant, stdout=io.StringIO())


def _play(stage: Stage) -> int:
    """Let everything of the story fail, end, and be mended; the number of events posted."""
    events = 0
    for name in STORY:
        run = stage.engine.run_scenario(name, items=1, recovers_after=RECOVERS_AFTER.get(name))
        _await(lambda run=run: _taken_in(run) and _ended(stage), f"{name} is decided and ended")
        time.sleep(MENDED_AFTER_SECONDS)
        stage.engine.mend(run.trouble)
        _await(lambda: _over(stage), f"{name} is resolved")
        events += len(run.event_ids)
    return events


def _await(look: Callable[[], bool], what: str) -> None:
    if not await_(look):
        raise RuntimeError(f"what-if: never came true: {what}")


def _taken_in(run: ScenarioRun) -> bool:
    from incidents.models import IncidentEvent

    failures = IncidentEvent.objects.filter(event_id__in=run.event_ids, event__kind="failure")
    return failures.count() == len(run.items)


def _ended(stage: Stage) -> bool:
    """Whether all is decided and nothing is under way, but for what waits for a person."""
    # In this order: an incident that is seen decided has its action.
    if _statuses(stage) & {"new", "analyzing"}:
        return False
    return not {action["status"] for action in _actions(stage)} & _UNDER_WAY


def _over(stage: Stage) -> bool:
    waiting = any(action["status"] == "waiting" for action in _actions(stage))
    return _statuses(stage) == {"resolved"} and _ended(stage) and not waiting


def _figures(stage: Stage) -> dict[str, int]:
    """What happened, counted as a replay counts."""
    incidents, actions = _incidents(stage), _actions(stage)
    reopened = sum(incident["reopen_count"] for incident in incidents)
    outcomes = Counter(action["receipt"]["outcome"] for action in actions)
    return {
        "incidents": len(incidents) + reopened,
        "reopened": reopened,
        "retries": sum(a["kind"] == "retry" and a["sent_at"] is not None for a in actions),
        "approvals": outcomes["wait"],
        "escalations": sum(action["kind"] == "escalate" for action in actions),
        "blocked": outcomes["block"],
    }


def _incidents(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.get("/incidents")["results"]
    return found


def _statuses(stage: Stage) -> set[str]:
    return {incident["status"] for incident in _incidents(stage)}


def _actions(stage: Stage) -> list[dict[str, Any]]:
    ids = [incident["id"] for incident in _incidents(stage)]
    return [one for pk in ids for one in stage.get(f"/incidents/{pk}/actions")["results"]]
