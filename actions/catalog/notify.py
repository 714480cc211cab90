"""Tell people something, without calling anybody [A1]: the timeline and the log."""

from __future__ import annotations

from typing import Annotated

import msgspec
import structlog
from django.db import transaction

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.lifecycle import note

log = structlog.get_logger(__name__)


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`text`: a sentence, with references to the incident in it."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Notify(Kind):
    name = "notify"
    label = "Notify"
    says = "Tells people something; nobody is called."
    parameters = Notice
    tells_people = True

    def preview(self, order: Order, parameters: Notice) -> Preview:
        return Preview(says=f"Tells people: {parameters.text}", undo="Nothing to undo.")

    def run(self, order: Order, parameters: Notice) -> Outcome | Send:
        incident = order.action.incident
        note(order.action, parameters.text, order.now)
        fields = {"incident": incident.label, "title": incident.title, "text": parameters.text}
        transaction.on_commit(lambda: log.info("notice", **fields), robust=True)
        return Outcome("accepted", 0, parameters.text)


KIND = Notify()
