"""Judging stored receipts again: each must come out as it was stored [S9]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import msgspec

from actions.models import Action
from safety.gate import Receipt, judge
from tenants.models import Tenant

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Checked:
    """One action's receipt judged again. `difference`: what is not as stored, "" if all is."""

    action_id: UUID
    difference: str


def check_receipts(tenant: Tenant | None = None) -> Iterator[Checked]:
    """Judge the receipt of every stored action again (of one tenant, or of all), in id order.

    Reads with a server-side cursor; writes nothing.
    """
    actions = Action.objects.order_by("pk")
    if tenant is not None:
        actions = actions.filter(tenant=tenant)
    rows = actions.values_list("pk", "receipt")
    for pk, stored in rows.iterator(chunk_size=CHUNK):
        yield Checked(pk, difference_of(stored))


def difference_of(stored: dict[str, Any]) -> str:
    """What judging the receipt's own inputs gives otherwise than was stored, "" for nothing."""
    if not stored:
        return "It has no receipt."
    try:
        receipt = Receipt.from_json(stored)
    except msgspec.ValidationError as error:
        return f"It cannot be read: {error}"
    again = judge(receipt.inputs)
    if _is_as_then(again, receipt, stored):
        return ""
    if again.outcome != receipt.outcome:
        return f"The outcome was {receipt.outcome}, judged again it is {again.outcome}."
    before = {check.name: check for check in receipt.checks}
    changed = [c.name for c in again.checks if before.get(c.name, c) != c]
    return f"Other than stored: {', '.join(changed) or 'the document'}."


def _is_as_then(now: Receipt, then: Receipt, stored: dict[str, Any]) -> bool:
    """Whether judging gives what was stored, beside what the gate did not look at then.

    A check it did not have passes on facts it did not have: else the outcome would be another.
    """
    asked = {check.name for check in then.checks}
    checks = tuple(check for check in now.checks if check.name in asked)
    return _holds(msgspec.to_builtins(replace(now, checks=checks)), stored)


def _holds(now: Any, then: Any) -> bool:
    """Whether all of the JSON `then` is in `now`."""
    if isinstance(then, dict):
        return then.keys() <= now.keys() and all(_holds(now[key], then[key]) for key in then)
    if isinstance(then, list):
        return len(now) == len(then) and all(map(_holds, now, then))
    return bool(now == then)
