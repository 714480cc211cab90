"""The tables whose rows are rules, edited under the same limits and kept with their history."""

from __future__ import annotations

from safety.models import (
    AutomationPolicy,
    ErrorCode,
    EventTypeRule,
    MessagePattern,
    RetryPolicy,
)

RULE_MODELS = (ErrorCode, MessagePattern, RetryPolicy, EventTypeRule, AutomationPolicy)
