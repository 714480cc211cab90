"""Calls over a connector: under one deadline, timed, and remembered for its log.

Reads no database: what a call needs was put into the `Link` before.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import httpx
import msgspec
from django.utils import timezone

from actions.catalog.kind import Certainty, Exchange, Outcome
from actions.outbound import AnswerLost, Client, NotCalled, Reply
from actions.retry_call import certainty_of

# Shorter ones are words, such as a user's name, and would blank out half of a reply.
_SECRET_CHARS = 8
MASK = "[secret]"


class Refused(Exception):  # noqa: N818  (it says what happened)
    """The target's own "no"; nothing was done."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True)
class Link:
    """A connector as calls need it. `settings`: of its kind's type."""

    connector_id: UUID
    name: str
    settings: Any
    named_hosts: tuple[str, ...]
    dry_run: bool
    secret: str = field(repr=False)

    def masked(self, text: str) -> str:
        """`text` without the secret, which a target may echo."""
        basic = base64.b64encode(self.secret.encode()).decode()
        for part in (self.secret, basic, *self.secret.split(":")):
            if len(part) >= _SECRET_CHARS:
                text = text.replace(part, MASK)
        return text


class Caller:
    """One or more calls over `link`; the deadline of all of them begins now."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.client = Client(link.named_hosts)
        self.exchanges: list[Exchange] = []

    def http(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes = b""
    ) -> Reply:
        """One request, its reply without the secret. Raises NotCalled or AnswerLost."""
        with self.remember(method, host_of(url)) as heard:
            reply = self.client.call(method, url, headers, content)
            heard(reply.status, certainty_of(reply.status))
        return replace(reply, text=self.link.masked(reply.text))

    @contextmanager
    def remember(self, method: str, host: str) -> Iterator[Callable[[int, Certainty], None]]:
        """Log the call made within; it says what it heard, or raises."""
        at, began = timezone.now(), time.monotonic()
        status, certainty = 0, "unknown"

        def heard(its_status: int, its_certainty: Certainty) -> None:
            nonlocal status, certainty
            status, certainty = its_status, its_certainty

        try:
            yield heard
        except NotCalled:
            certainty = "refused"
            raise
        except Refused as error:
            status, certainty = error.status, "refused"
            raise
        finally:
            took = round((time.monotonic() - began) * 1000)
            self.exchanges.append(
                Exchange(self.link.connector_id, at, method, host, status, certainty, took)  # type: ignore[arg-type]
            )


def carry_out(link: Link, do: Callable[[Caller], Outcome], *, asks: bool = False) -> Outcome:
    """What `do` says, or what its failure proves. Never raises for what the target does.

    `asks`: it is a question; that it was not taken says nothing of what it was about.
    """
    caller = Caller(link)
    refused: Certainty = "unknown" if asks else "refused"
    try:
        outcome = do(caller)
    except NotCalled as error:
        outcome = Outcome(refused, 0, str(error))
    except Refused as error:
        outcome = Outcome(refused, error.status, str(error))
    except AnswerLost as error:
        outcome = Outcome("unknown", 0, f"The answer was lost: {error}")
    detail = link.masked(outcome.detail)
    return replace(outcome, detail=detail, exchanges=tuple(caller.exchanges))


def rehearse(link: Link, method: str, url: str) -> Outcome:
    """A dry run: nothing leaves. It is no success either, for nothing was mended."""
    exchange = Exchange(link.connector_id, timezone.now(), method, host_of(url), 0, "dry_run", 0)
    words = f"Dry run of {link.name}: {method} {url} was not sent."
    return Outcome("refused", 0, words, exchanges=(exchange,))


def host_of(url: str) -> str:
    try:
        return httpx.URL(url).netloc.decode()[:255]
    except httpx.InvalidURL:
        return ""


def document(reply: Reply) -> dict[str, Any]:
    """The JSON object in a reply; empty if there is none."""
    try:
        return msgspec.json.decode(reply.text, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
