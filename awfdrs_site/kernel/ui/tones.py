"""Which glyph, word and hue a severity, state or kind of entry is shown with.

One table each, so that a badge, a row, the feed and the timeline never disagree. Hues are roles:
red failed or critical, orange high or escalated, yellow waits for a person, green verified, blue a
person did it, violet the machine, slate neutral.
"""

from __future__ import annotations

from typing import NamedTuple


class Look(NamedTuple):
    """`icon` is a name of the sprite, `tone` a hue, `word` what stands next to the glyph."""

    icon: str
    tone: str
    word: str


UNKNOWN = Look("st-open", "slate", "Unknown")

SEVERITY: dict[str, Look] = {
    "critical": Look("sev-critical", "red", "Critical"),
    "high": Look("sev-high", "orange", "High"),
    "medium": Look("sev-medium", "yellow", "Medium"),
    "low": Look("sev-low", "slate", "Low"),
}

STATE: dict[str, Look] = {
    "open": Look("st-open", "red", "Open"),
    "acknowledged": Look("st-acknowledged", "blue", "Acknowledged"),
    "recovering": Look("st-recovering", "violet", "Recovering"),
    "waiting": Look("st-waiting", "yellow", "Needs approval"),
    "blocked": Look("st-blocked", "red", "Blocked"),
    "escalated": Look("st-escalated", "orange", "Escalated"),
    "resolved": Look("st-resolved", "green", "Resolved"),
    "ignored": Look("st-ignored", "slate", "Ignored"),
    "snoozed": Look("snooze", "slate", "Snoozed"),
    "merged": Look("merge", "slate", "Merged"),
}

ACTION: dict[str, Look] = {
    "waiting": Look("st-waiting", "yellow", "Needs approval"),
    "planned": Look("cooldown", "slate", "Planned"),
    "claimed": Look("st-recovering", "violet", "Starting"),
    "sending": Look("st-recovering", "violet", "Sending"),
    "verifying": Look("st-recovering", "violet", "Verifying"),
    "succeeded": Look("st-resolved", "green", "Verified"),
    "failed": Look("cross", "red", "Failed"),
    "unknown": Look("st-blocked", "orange", "Unknown"),
    "blocked": Look("st-blocked", "red", "Blocked"),
    "rejected": Look("cross", "slate", "Rejected"),
    "expired": Look("cooldown", "slate", "Expired"),
    "cancelled": Look("st-ignored", "slate", "Cancelled"),
}
DONE: dict[str, Look] = {
    "escalate": Look("st-escalated", "orange", "Handed over"),
    "none": Look("st-ignored", "slate", "Nothing to do"),
}
# A step of a plan: the state of its latest attempt, or one it has without.
STEP: dict[str, Look] = ACTION | {
    "succeeded": Look("st-resolved", "green", "Done"),
    "pending": Look("st-open", "slate", "Not started"),
    "skipped": Look("st-ignored", "slate", "Not run"),
    "standby": Look("pause", "slate", "Stands by"),
    "rolled_back": Look("st-undone", "orange", "Rolled back"),
}
# How far an action may go for a signature.
RUNG: dict[str, Look] = {
    "observe": Look("search", "slate", "Observe"),
    "suggest": Look("spark", "blue", "Suggest"),
    "approve": Look("st-waiting", "yellow", "Approve"),
    "automatic": Look("st-recovering", "violet", "Automatic"),
}
# The state of a whole recovery.
RUN: dict[str, Look] = {
    "detecting": Look("incident", "slate", "Detecting"),
    "analyzing": Look("spark", "violet", "Analysing"),
    "planning": Look("spark", "violet", "Planning"),
    "awaiting_approval": STATE["waiting"],
    "cooldown": Look("cooldown", "slate", "Cooling down"),
    "executing": Look("st-recovering", "violet", "Executing"),
    "verifying": Look("st-recovering", "violet", "Verifying"),
    "rolling_back": Look("undo", "orange", "Rolling back"),
    "completed": Look("st-resolved", "green", "Completed"),
    "failed": Look("cross", "red", "Failed"),
    "rolled_back": Look("st-undone", "orange", "Rolled back"),
    "needs_human": Look("user", "yellow", "Needs a person"),
}
RUNNING = frozenset({"claimed", "sending", "verifying"})

BREAKER: dict[str, Look] = {
    "closed": Look("closed", "green", "Closed"),
    "half_open": Look("half_open", "yellow", "Half-open"),
    "open": Look("open", "red", "Open"),
    "forced_open": Look("forced_open", "red", "Forced open"),
    "disabled": Look("disabled", "slate", "Disabled"),
}

# One check of the gate, and (by the outcome it leads to) its whole answer.
VERDICT: dict[str, Look] = {
    "pass": Look("check", "green", "Pass"),
    "wait": Look("st-waiting", "yellow", "Waits"),
    "defer": Look("cooldown", "slate", "Later"),
    "block": Look("st-blocked", "red", "Blocks"),
}
GATE: dict[str, Look] = {
    "run": Look("check", "green", "All pass"),
    "wait": Look("st-waiting", "yellow", "Waits for a person"),
    "defer": Look("cooldown", "slate", "Later"),
    "block": Look("st-blocked", "red", "Blocked"),
}

# How near a limit is to being reached -> hue and what stands behind its window.
LIMIT: dict[str, tuple[str, str]] = {
    "ok": ("green", ""),
    "near": ("orange", ", near the line"),
    "over": ("red", ", at the limit"),
}

RECOVERY: dict[str, Look] = {
    "waiting": STATE["waiting"],
    "running": STATE["recovering"],
    "verifying": Look("st-recovering", "violet", "Verifying"),
    "blocked": STATE["blocked"],
    "failed": Look("cross", "red", "Failed"),
    "escalated": Look("user", "slate", "By hand"),
    "recovered": Look("st-resolved", "green", "Recovered"),
}

# A timeline entry's kind -> glyph and hue; what is not here takes the hue of who did it.
ENTRY: dict[str, tuple[str, str]] = {
    "opened": ("incident", "red"),
    "reopened": ("incident", "red"),
    "events": ("bars", "slate"),
    "late": ("ago", "slate"),
    "classified": ("spark", "violet"),
    "decided": ("spark", "violet"),
    "gate": ("shield", "violet"),
    "action": ("bolt", "violet"),
    "approval": ("st-waiting", "yellow"),
    "escalated": ("st-escalated", "orange"),
    "resolved": ("st-resolved", "green"),
    "acknowledged": ("st-acknowledged", "blue"),
    "assigned": ("user", "blue"),
    "snoozed": ("snooze", "blue"),
    "woken": ("alarm", "yellow"),
    "merged": ("merge", "blue"),
    "split": ("split", "blue"),
    "pinned": ("split", "blue"),
    "undone": ("undo", "blue"),
    "comment": ("comment", "blue"),
    "change": ("change", "slate"),
    "stopped": ("pause", "yellow"),
    "resumed": ("play", "green"),
    "breaker": ("plug", "slate"),
    "breaker_open": ("st-blocked", "red"),
    "breaker_half_open": ("st-waiting", "yellow"),
    "breaker_closed": ("st-resolved", "green"),
}
_ACTOR = {"machine": ("spark", "violet"), "person": ("user", "blue"), "sender": ("plug", "slate")}


def severity(value: str) -> Look:
    """The look of a severity."""
    return SEVERITY.get(value, UNKNOWN)


def state(value: str) -> Look:
    """The look of an incident's computed state."""
    return STATE.get(value, UNKNOWN)


def action(status: str, kind: str = "retry") -> Look:
    """The look of an action; what only tells people, or does nothing, has nothing to verify."""
    if status == "succeeded" and kind in DONE:
        return DONE[kind]
    return ACTION.get(status, UNKNOWN)


def step(value: str) -> Look:
    """The look of a step's state."""
    return STEP.get(value, UNKNOWN)


def run(value: str) -> Look:
    """The look of a recovery's state."""
    return RUN.get(value, UNKNOWN)


def breaker(value: str) -> Look:
    """The look of a breaker's state."""
    return BREAKER.get(value, BREAKER["closed"])


def verdict(value: str) -> Look:
    """The look of one check of the gate."""
    return VERDICT.get(value, UNKNOWN)


def entry(kind: str, actor_kind: str, status: str = "") -> tuple[str, str]:
    """(icon, hue) of a timeline or feed line; an action's own status says more than its kind."""
    if kind == "action" and status in ACTION:
        return ACTION[status].icon, ACTION[status].tone
    return ENTRY.get(kind) or _ACTOR.get(actor_kind, ("ago", "slate"))


def life(incident_state: str, acknowledged: bool) -> Look:
    """The person's side of an incident's state: a running plan does not hide who took it on."""
    if incident_state in ("recovering", "waiting", "blocked", "escalated") and acknowledged:
        return STATE["acknowledged"]
    return (
        STATE["open"]
        if incident_state in ("recovering", "waiting", "blocked")
        else state(incident_state)
    )


def recovery(value: str, status: str) -> Look:
    """The machine's side: what becomes of the recovery of an incident of this status."""
    if value in RECOVERY:
        return RECOVERY[value]
    if status in ("new", "analyzing"):
        return Look("spark", "violet", "Analysing")
    return Look("st-ignored", "slate", "No plan")


def gate(outcome: str) -> Look:
    """The look of the gate's whole answer."""
    return GATE.get(outcome, UNKNOWN)
