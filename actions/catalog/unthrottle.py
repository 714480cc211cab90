"""End the throttles that this recovery began, and no other [A1 S4]."""

from __future__ import annotations

from typing import Any

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.lifecycle import note
from actions.plans.document import Call
from awfdrs_site.kernel.actor import MACHINE
from safety.selectors import vendor_for
from safety.throttle import strictest
from safety.throttling import unthrottle


class Unthrottle(Kind):
    name = "unthrottle"
    label = "End throttle"
    says = "Ends the throttle that this recovery began, and no other."
    reversible = True
    calls_vendor = False

    def preview(self, order: Order, parameters: Any) -> Preview:
        vendor = order.action.incident.vendor or "the vendor"
        return Preview(
            says=f"Lets calls to {vendor} go at its own limit again, if this recovery slowed them.",
            undo="Slows them again for the time that was left.",
        )

    def run(self, order: Order, parameters: Any) -> Outcome | Send:
        action, incident, now = order.action, order.action.incident, order.now
        vendor = vendor_for(incident.tenant_id, incident.vendor)
        mine = action.recovery.actions.values_list("pk", flat=True) if action.recovery else ()
        own = set(map(str, mine))
        ended = unthrottle(vendor=vendor, actions=own, actor=MACHINE, now=now) if vendor else []
        last = strictest(ended)
        if last is None:
            return Outcome("accepted", 0, "No throttle of the vendor is this recovery's")
        text = f"{vendor} is throttled by {incident.label} no more"
        note(action, text, now)
        left = max(1, round((last.until - now).total_seconds()))
        return Outcome("accepted", 0, text, result={"per_minute": last.per_minute, "seconds": left})

    def undo(self, order: Order, parameters: Any) -> Call | None:
        result = order.action.result
        given = {name: result[name] for name in ("per_minute", "seconds") if name in result}
        return Call("throttle", given) if given else None


KIND = Unthrottle()
