"""Tell people something [A1]: in the timeline and the log, and by a channel if one is named."""

from __future__ import annotations

from typing import Annotated

import msgspec
import structlog
from django.db import transaction

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.escalation.models import Channel
from actions.escalation.selectors import channels_on
from actions.escalation.services import send_notice
from actions.lifecycle import note

log = structlog.get_logger(__name__)


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`text`: a sentence, with references to the incident in it. `channel`: by its name."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    channel: Annotated[str, msgspec.Meta(max_length=100)] = ""


class Notify(Kind):
    name = "notify"
    label = "Notify"
    says = "Tells people something, by a channel if it names one; nobody has to answer."
    parameters = Notice
    tells_people = True

    def preview(self, order: Order, parameters: Notice) -> Preview:
        says, calls = f"Tells people: {parameters.text}", tuple[str, ...]()
        if parameters.channel:
            channel = _channel(order, parameters)
            if channel is None:
                return Preview(says=f"It will be refused: {_unknown(parameters)}")
            calls = (f"{channel.get_kind_display()} to {channel.name}",)
        return Preview(says, calls, undo="Nothing to undo.")

    def run(self, order: Order, parameters: Notice) -> Outcome | Send:
        action, incident = order.action, order.action.incident
        if parameters.channel:
            channel = _channel(order, parameters)
            if channel is None:
                return Outcome("refused", 0, _unknown(parameters))
            send_notice(action, channel, order.now)
        note(action, parameters.text, order.now)
        fields = {"incident": incident.label, "title": incident.title, "text": parameters.text}
        transaction.on_commit(lambda: log.info("notice", **fields), robust=True)
        return Outcome("accepted", 0, parameters.text)


def _channel(order: Order, parameters: Notice) -> Channel | None:
    return channels_on(order.action.tenant_id).get(parameters.channel)


def _unknown(parameters: Notice) -> str:
    return f"no channel named {parameters.channel} is switched on."


KIND = Notify()
