"""The one HTTP client for calls to others [P14].

A name is resolved once, all its addresses are judged, and one of those is connected to: the name
is not looked up again, so what was judged is what is called. The Host header and the certificate
stay those of the name. No redirects, no proxies of the environment, a bounded reply, one deadline.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from queue import Empty, SimpleQueue
from threading import Thread

import httpx

from actions.addresses import is_named, is_public, not_public, objection, port_of

DEADLINE_SECONDS = 10.0
REPLY_LIMIT = 64 * 1024

Resolve = Callable[[str, int], tuple[str, ...]]


class NotCalled(Exception):  # noqa: N818  (it says what happened)
    """Nothing was sent, and that is certain."""


class AnswerLost(Exception):  # noqa: N818
    """The request may have been carried out; what came of it is not known."""


@dataclass(frozen=True)
class Reply:
    """`text`: at most REPLY_LIMIT bytes of it."""

    status: int
    text: str


def resolve(host: str, port: int) -> tuple[str, ...]:
    """The addresses of `host`, best first. Raises OSError or UnicodeError if it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


class Client:
    """Calls under one deadline, which begins now. `named`: the hosts the operator trusts."""

    def __init__(
        self,
        named: tuple[str, ...],
        *,
        seconds: float = DEADLINE_SECONDS,
        resolve: Resolve = resolve,
    ) -> None:
        self.named = named
        self.resolve = resolve
        self.until = time.monotonic() + seconds

    def call(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes = b""
    ) -> Reply:
        """One request. Raises NotCalled or AnswerLost, and nothing else for what others do."""
        if words := objection(url, self.named):
            raise NotCalled(words)
        parsed = httpx.URL(url)
        addresses = self._addresses(parsed)
        return asyncio.run(self._try(addresses, method, parsed, headers, content))

    def _left(self) -> float:
        return max(self.until - time.monotonic(), 0.0)

    def _addresses(self, url: httpx.URL) -> tuple[str, ...]:
        """Where the name leads, judged. The look-up is the system's and knows no deadline, so it
        runs in a thread that is left behind if it takes too long."""
        box: SimpleQueue[tuple[str, ...] | str] = SimpleQueue()

        def look_up() -> None:
            try:
                box.put(self.resolve(url.raw_host.decode(), port_of(url)))
            except (OSError, UnicodeError) as error:
                box.put(f"{url.host} has no address: {error}")

        Thread(target=look_up, daemon=True).start()
        try:
            found = box.get(timeout=self._left())
        except Empty:
            raise NotCalled(f"{url.host} was not found in time.") from None
        if isinstance(found, str):
            raise NotCalled(found)
        if not is_named(url, self.named) and not all(map(is_public, found)):
            raise NotCalled(not_public(url.host))
        return found

    async def _try(
        self,
        addresses: tuple[str, ...],
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes,
    ) -> Reply:
        """The first address that can be connected to is the one that is called."""
        problem: Exception = OSError("no address")
        for address in addresses:
            try:
                return await self._exchange(address, method, url, headers, content)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL) as error:
                problem = error
            except (httpx.HTTPError, TimeoutError) as error:
                raise AnswerLost(repr(error)) from error
        raise NotCalled(f"No connection: {problem!r}") from problem

    async def _exchange(
        self,
        address: str,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes,
    ) -> Reply:
        """httpx bounds each read alone, and a server may drip; the deadline bounds the whole.

        The body is read as it comes: a packed one could be a thousand times as long.
        """
        fixed = {"Host": url.netloc.decode(), "Accept-Encoding": "identity"}
        left = self._left()
        async with (
            asyncio.timeout(left),
            httpx.AsyncClient(
                timeout=left / 2, trust_env=False, follow_redirects=False, verify=_trusted()
            ) as client,
            client.stream(
                method,
                url.copy_with(host=address),
                headers={**headers, **fixed},
                content=content,
                extensions={"sni_hostname": url.raw_host.decode()},
            ) as reply,
        ):
            received = b""
            async for chunk in reply.aiter_raw():
                received += chunk
                if len(received) >= REPLY_LIMIT:
                    break
            return Reply(reply.status_code, received[:REPLY_LIMIT].decode("utf-8", "replace"))


@cache
def _trusted() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
