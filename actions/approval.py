"""Who may approve, and whether enough people have [A4]. Pure: rows and policies come in as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from awfdrs_site.kernel.actor import Actor
from awfdrs_site.kernel.problem import FieldError, Problem, echo, invalid

MAX_DELAY_SECONDS = 3600
Given = Mapping[str, Any]


def entry(actor: Actor, calls_hash: str, now: datetime) -> dict[str, Any]:
    """One approval, as it is kept with its action."""
    at = now.isoformat()
    return {"by": actor.name, "user_id": actor.user_id, "at": at, "calls_hash": calls_hash}


def standing(given: Sequence[Given], calls_hash: str) -> list[Given]:
    """Those that were given for what would be called now; the others were for something else."""
    return [one for one in given if one["calls_hash"] == calls_hash]


def refuse(
    actor: Actor,
    *,
    requested_by: str,
    requester_may_approve: bool,
    given: Sequence[Given],
    needed: int,
) -> None:
    """Raises 409 `own_request`, 403 `permission_denied` for a key where two people are needed,
    and 409 `already_approved` for who has approved it before."""
    if not requester_may_approve and requested_by == actor.name:
        raise Problem(409, "own_request", "You asked for it; somebody else must approve it.")
    if needed > 1 and actor.user_id is None:
        raise Problem(403, "permission_denied", "Two people must approve this, and a key is none.")
    if needed > 1 and any(one["user_id"] == actor.user_id for one in given):
        raise Problem(409, "already_approved", "You approved it; one more person is needed.")


def names(given: Sequence[Given]) -> str:
    """Everybody who approved, as one text."""
    return " and ".join(str(one["by"]) for one in given)


def delay_of(parameters: Mapping[str, Any]) -> float:
    """The `delay_seconds` of a request. Raises 400 `validation_error`."""
    errors = [
        FieldError(f"parameters.{name}", "unknown_field", "Not a parameter of a retry.")
        for name in parameters
        if name != "delay_seconds"
    ]
    delay = parameters.get("delay_seconds", 0)
    number = isinstance(delay, int | float) and not isinstance(delay, bool)
    if not number or not 0 <= delay <= MAX_DELAY_SECONDS:
        detail = f"A number of seconds from 0 to {MAX_DELAY_SECONDS}, not {echo(delay)}."
        errors.append(FieldError("parameters.delay_seconds", "out_of_range", detail))
    if errors:
        raise invalid(errors)
    return float(delay)
