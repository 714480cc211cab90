"""Do nothing, and have it on record [A1]."""

from __future__ import annotations

from typing import Any

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send


class DoNothing(Kind):
    name = "none"
    label = "Do nothing"
    says = "Nothing is done; the decision stands on record."
    tells_people = True
    in_plans = False

    def preview(self, order: Order, parameters: Any) -> Preview:
        return Preview(says="Nothing is done.")

    def run(self, order: Order, parameters: Any) -> Outcome | Send:
        return Outcome("accepted", 0, "Nothing was done.")


KIND = DoNothing()
