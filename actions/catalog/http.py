"""Call a service, signed (Standard Webhooks 1.0), with the action's id as its Idempotency-Key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from actions.catalog.connected import Connected
from actions.catalog.kind import Outcome
from actions.connectors.calling import Caller, Link
from actions.retry_call import answered, arrived, signed
from awfdrs_site.kernel.strict_json import encode

# Whole segments, none of them dots alone: what an incident fills in stays below the base address.
PATH = r"^(/(?!\.+(/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)*/?\Z"


class HttpParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`path` is put behind the connector's base address."""

    connector: str
    path: Annotated[str, msgspec.Meta(pattern=PATH)] = ""
    method: Literal["POST", "PUT"] = "POST"
    body: dict[str, Any] = {}


class Http(Connected):
    name = "http"
    label = "Call a service"
    says = "Calls a service, signed."
    goes_to = "the service"
    parameters = HttpParameters
    via = "http"

    def target(self, link: Link, parameters: HttpParameters) -> tuple[str, str]:
        return parameters.method, link.settings.base_url.rstrip("/") + parameters.path

    def send(self, caller: Caller, parameters: HttpParameters, key: str, now: datetime) -> Outcome:
        method, url = self.target(caller.link, parameters)
        content = encode(parameters.body)
        headers = signed(caller.link.secret, key, content, now)
        headers["Content-Type"] = "application/json"
        return answered(caller.http(method, url, headers, content))

    def question(
        self,
        caller: Caller,
        parameters: HttpParameters,
        key: str,
        now: datetime,
        result: Mapping[str, Any],
    ) -> Outcome:
        """By its status address, where the connector has one."""
        if not caller.link.settings.status_url:
            return Outcome("unknown", 0, "The connector has no status_url.")
        url = f"{caller.link.settings.status_url.rstrip('/')}/{key}"
        return arrived(caller.http("GET", url, signed(caller.link.secret, key, b"", now)))


KIND = Http()
