"""What the fields of a rule mean, in plain words and with an example [U3]."""

from __future__ import annotations

RETRY_POLICY = {
    "tenant": "Empty: everybody's, unless they have their own of this name.",
    "name": "How rules name it, such as exponential-default.",
    "kind": "How the delays grow: 1, 2, 4, 8 s; 1, 2, 3, 4 s; or always the same.",
    "max_retries": "Attempts in all, such as 3. 0 goes with “No retries” alone.",
    "initial_delay_seconds": "Before the first attempt, such as 2.",
    "max_delay_seconds": "No delay is longer than this, such as 300 (5 minutes).",
    "multiplier": "By how much an exponential delay grows each time, such as 2.",
    "jitter_ratio": "The share of a delay that is left to chance, so that not all retry at "
    "once: 0 is none, 0.2 a fifth.",
}

FAILURE = {
    "tenant": "Empty: everybody's, unless they have their own for the same.",
    "code": "As the workflow reports it, in any spelling: payment_timeout is PaymentTimeout.",
    "name": "What it is called here, such as connection-reset.",
    "pattern": "What is looked for in the message, such as (?i)connection (reset|refused). "
    "RE2 syntax, so no look-around.",
    "position": "The lowest is tried first; the first that is found decides. Such as 100.",
    "category": "What kind of failure it is. Only what goes away by itself is worth a retry: "
    "a declined card is a business decline, a slow bank a transient timeout.",
    "severity": "How urgently a person should know, if it comes to that.",
    "retry_policy": "How it is retried, or that it is not.",
    "plan": "A recovery plan to run in place of a retry, such as refresh-credentials. Mostly "
    "empty.",
    "escalate": "A person looks in any case, whether it is retried or not.",
    "recommended_action": "Told to who looks, such as “Ask the bank for a new limit.”",
    "description": "For the next person who reads this rule.",
}

EVENT_TYPE = {
    "tenant": "Empty: everybody's, unless they have their own of this pattern.",
    "pattern": "A type, or one with * for anything, such as *.failed or deploy.*",
    "kind": "What such an event means. It holds for events from now on.",
    "position": "The lowest is tried first; the first that fits decides. Such as 100.",
}

AUTOMATION = {
    "tenant": "Empty: everybody's, unless they have their own.",
    "workflow": "Empty: all workflows of the tenant that have no policy of their own.",
    "confidence_threshold": "The auto line, such as 0.8: from there on automation acts by "
    "itself, below it a person decides.",
    "max_attempts": "Of one incident, such as 5; then a person is called.",
    "max_workflow_retries_per_hour": "In any hour, such as 300; more of them wait.",
    "max_vendor_retries_per_hour": "In any hour, such as 300; more of them wait.",
    "cooldown_seconds": "Rest between two attempts at the same thing, such as 300.",
}
