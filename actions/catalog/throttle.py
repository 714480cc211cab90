"""Slow the calls to the incident's vendor for a time: recoveries, and who asks first [A1 S4].

Events that name the vendor are taken in as before: what fails must be heard of.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.lifecycle import note
from actions.plans.document import Call
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.ui.wording import duration
from safety.selectors import vendor_for
from safety.throttle import Throttle as Hold
from safety.throttling import throttle


class Slow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`per_minute`: as many calls; `seconds`: when it ends by itself."""

    per_minute: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 3_600


class Throttle(Kind):
    name = "throttle"
    label = "Throttle vendor"
    says = "Lets only so many calls a minute go to the vendor, for a time."
    parameters = Slow
    reversible = True
    calls_vendor = False

    def preview(self, order: Order, parameters: Slow) -> Preview:
        vendor = order.action.incident.vendor
        if not vendor:
            return Preview(says="Fails: the incident names no vendor.")
        lasts = duration(timedelta(seconds=parameters.seconds))
        return Preview(
            says=f"Lets {parameters.per_minute} calls a minute go to {vendor} for {lasts}.",
            undo="Ends that; another throttle of the vendor stays.",
        )

    def run(self, order: Order, parameters: Slow) -> Outcome | Send:
        incident, now = order.action.incident, order.now
        vendor = vendor_for(incident.tenant_id, incident.vendor)
        if vendor is None:
            named = f"no vendor is known as {incident.vendor}"
            return Outcome("refused", 0, named if incident.vendor else "no vendor is involved")
        lasts = timedelta(seconds=parameters.seconds)
        new = Hold(parameters.per_minute, now + lasts, incident.label, order.key)
        throttle(vendor=vendor, new=new, actor=MACHINE, now=now)
        text = f"{vendor} gets {new.per_minute} calls a minute for {duration(lasts)}"
        note(order.action, text, now)
        return Outcome("accepted", 0, text, result={"vendor": vendor.name})

    def undo(self, order: Order, parameters: Slow) -> Call | None:
        return Call("unthrottle") if "vendor" in order.action.result else None


KIND = Throttle()
