"""The lock that makes "stop" mean stop, and what an engaged kill switch stops [S6 P7].

Who marks something as being sent holds the lock shared while it reads the switches; who engages a
switch holds it exclusively. So when `engage_switch` has returned, every send that missed the switch
was already marked, and every later one sees it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal
from uuid import UUID

from django.db import connection

from safety.models import KillSwitch, SwitchBlocks, SwitchScope

# Any number no other advisory lock of this database uses: "AWFDRS" in ASCII.
SWITCH_LOCK = 0x4157_4644_5253

Blocked = Literal["automation", "ingestion"]


def lock_switches_shared() -> None:
    """Wait for whoever is engaging a switch, then keep others from it until the commit.

    The caller holds a transaction and reads the switches after this call, by a statement of its
    own. Raises OperationalError (lock timeout) when it cannot be had: then nothing may be sent.
    """
    _lock("pg_advisory_xact_lock_shared")


def lock_switches_exclusive() -> None:
    """Wait until nobody is between reading the switches and its commit; held until the commit."""
    _lock("pg_advisory_xact_lock")


def _lock(function: str) -> None:
    if not connection.in_atomic_block:
        raise RuntimeError("The kill switch lock needs a transaction.")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [SWITCH_LOCK])


def switch_stopping(
    switches: Iterable[KillSwitch],
    what: Blocked,
    *,
    workflow_id: UUID | None = None,
    vendor: str = "",
) -> KillSwitch | None:
    """The first of the tenant's engaged `switches` that stops `what` for this target, or None.

    Global and tenant switches stop everything; a workflow's or vendor's only its own. One of an
    action type stops nothing that comes in.
    """
    for switch in switches:
        if switch.blocks in (what, SwitchBlocks.BOTH) and _covers(switch, workflow_id, vendor):
            return switch
    return None


def _covers(switch: KillSwitch, workflow_id: UUID | None, vendor: str) -> bool:
    if switch.scope == SwitchScope.WORKFLOW:
        return switch.workflow_id == workflow_id
    if switch.scope == SwitchScope.VENDOR:
        return bool(vendor) and switch.vendor.casefold() == vendor.casefold()
    return switch.scope != SwitchScope.ACTION
