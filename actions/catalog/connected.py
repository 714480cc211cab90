"""What the kinds have in common that call a system over a connector [A7]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.connectors.calling import Caller, Link, carry_out, rehearse
from actions.connectors.services import NoLinkError, link_named
from actions.plans.expression import references


class Connected(Kind):
    """A kind declares `via`, and what it calls in `target`, `send` and `question`.

    All of its parameters have a `connector`: the name of one of the tenant's.
    """

    # The kind of connector it needs.
    via: str

    def target(self, link: Link, parameters: Any) -> tuple[str, str]:
        """Method and address of the call that `send` makes."""
        raise NotImplementedError

    def send(self, caller: Caller, parameters: Any, key: str, now: datetime) -> Outcome:
        """The call itself; no database. May raise as `Caller.http`."""
        raise NotImplementedError

    def question(
        self, caller: Caller, parameters: Any, key: str, now: datetime, result: Mapping[str, Any]
    ) -> Outcome:
        """How it went, by what was returned so far (`result`); no database, changes nothing."""
        return Outcome("unknown", 0, "Nobody can be asked.")

    def lacks(self, tenant_id: UUID, given: Mapping[str, Any]) -> str:
        name = given["connector"]
        if any(references(name)):
            return ""  # which one is known when the step runs
        try:
            link_named(tenant_id, name, self.via)
        except NoLinkError as error:
            return str(error)
        return ""

    def preview(self, order: Order, parameters: Any) -> Preview:
        try:
            link = self._link(order, parameters)
        except NoLinkError as error:
            return Preview(says=f"It will be refused: {error}")
        method, address = self.target(link, parameters)
        dry = " A dry run: nothing leaves." if link.dry_run else ""
        return Preview(self.says + dry, (f"{method} {address}",), self.undo_words)

    def run(self, order: Order, parameters: Any) -> Outcome | Send:
        try:
            link = self._link(order, parameters)
        except NoLinkError as error:
            return Outcome("refused", 0, str(error))
        if link.dry_run:
            return rehearse(link, *self.target(link, parameters))
        key, now = order.key, order.now
        return partial(carry_out, link, lambda caller: self.send(caller, parameters, key, now))

    def ask(self, order: Order, parameters: Any) -> Outcome | Send:
        try:
            link = self._link(order, parameters)
        except NoLinkError as error:
            return Outcome("unknown", 0, str(error))
        key, now, result = order.key, order.now, dict(order.action.result)
        return partial(
            carry_out,
            link,
            lambda caller: self.question(caller, parameters, key, now, result),
            asks=True,
        )

    def _link(self, order: Order, parameters: Any) -> Link:
        return link_named(order.action.tenant_id, parameters.connector, self.via)
