"""Two kinds of action for plans that call the harness's target; the product has neither."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from actions.catalog import kinds
from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.retry_call import Endpoint, ask_status, request_retry

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtMTIzNA=="


class What(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url`: where the target listens. `case`, `what`: what it writes in its ledger."""

    url: str
    case: str
    what: str
    refuse: bool = False
    up: bool = True


class Touch(Kind):
    """Changes something at the target, which says afterwards whether it came."""

    name = "touch"
    label = "Touch"
    says = "Touches the target."
    parameters = What

    def preview(self, order: Order, parameters: What) -> Preview:
        return Preview(self.says, (f"POST {parameters.url}",))

    def run(self, order: Order, parameters: What) -> Outcome | Send:
        body = msgspec.to_builtins(parameters)
        return partial(request_retry, _endpoint(parameters), order.key, body, order.now)

    def ask(self, order: Order, parameters: What) -> Outcome | Send:
        return partial(ask_status, _endpoint(parameters), order.key, order.now)


class Look(Touch):
    """Asks the target how it is. Asking again is as good as the answer that was lost."""

    name = "look"
    label = "Look"
    says = "Looks at the target."
    probe = True

    def ask(self, order: Order, parameters: What) -> Outcome | Send:
        return self.run(order, parameters)


def _endpoint(parameters: What) -> Endpoint:
    return Endpoint(parameters.url, SECRET, ("127.0.0.1",))


def register() -> None:
    """Let this process's plans name them."""
    known: dict[str, Any] = kinds()
    known.update({kind.name: kind for kind in (Touch(), Look())})
