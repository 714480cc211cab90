"""Look whether a page answers as it should; changes nothing and needs no connector."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import msgspec
from django.conf import settings

from actions.addresses import objection
from actions.catalog.kind import Kind, Order, Outcome, Preview, Send
from actions.outbound import AnswerLost, Client, NotCalled
from awfdrs_site.kernel.problem import FieldError


class ProbeParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`contains`: a text that has to stand in the first 64 KiB of the reply."""

    url: str
    status: Annotated[int, msgspec.Meta(ge=100, le=599)] = 200
    contains: str = ""


class ProbeHttp(Kind):
    name = "probe_http"
    label = "Look at a page"
    says = "Looks whether a page answers as it should."
    goes_to = "the page"
    parameters = ProbeParameters
    probe = True

    def check(self, given: Mapping[str, Any], path: str = "parameters") -> list[FieldError]:
        """An address that is written out is judged at once; one that is filled in, at the call."""
        errors = super().check(given, path)
        url = given.get("url")
        if not errors and isinstance(url, str) and "${" not in url:
            words = objection(url, settings.RETRY_ALLOWED_HOSTS)
            errors = [FieldError(f"{path}.url", "url_not_allowed", words)] if words else []
        return errors

    def preview(self, order: Order, parameters: ProbeParameters) -> Preview:
        return Preview(self.says, (f"GET {parameters.url}",), "Nothing to undo.")

    def run(self, order: Order, parameters: ProbeParameters) -> Outcome | Send:
        return partial(look, parameters, settings.RETRY_ALLOWED_HOSTS)


def look(parameters: ProbeParameters, named: tuple[str, ...]) -> Outcome:
    """Good or bad, never in doubt: a page that does not answer is not up."""
    try:
        reply = Client(named).call("GET", parameters.url, {"User-Agent": "awfdrs"})
    except (NotCalled, AnswerLost) as error:
        return Outcome("accepted", 0, f"It does not answer: {error}", ended=False)
    if reply.status != parameters.status:
        words = f"HTTP {reply.status}, not {parameters.status}."
        return Outcome("accepted", reply.status, words, ended=False)
    if parameters.contains not in reply.text:
        words = "The reply does not contain the text."
        return Outcome("accepted", reply.status, words, ended=False)
    return Outcome("accepted", reply.status, f"HTTP {reply.status}", ended=True)


KIND = ProbeHttp()
