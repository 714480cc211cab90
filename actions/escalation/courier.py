"""Makes one call to a channel, in a process: `python -m actions.escalation.courier SECONDS`.

Reads a `Letter` as JSON from standard input and writes a `Receipt` to standard output. It is a
process because apprise is other people's code with other people's secrets: one that hangs is ended
at the deadline, whatever it hangs in, and inside it no connection can be made but to a public
address [P14]. That is looked at in `connect`, below every library, so neither a redirect nor a name
that changes its address in between leads anywhere else. It gets no environment of ours.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import Any

import msgspec

from actions.addresses import is_public


class Letter(msgspec.Struct, frozen=True):
    """What to tell whom. `key`: the receiver tells repetitions by it, where its kind has a place.

    `allowed`: hosts that may be called though they are not public.
    """

    url: str
    key: str
    title: str
    body: str
    urgent: bool
    allowed: tuple[str, ...]


class Receipt(msgspec.Struct, frozen=True):
    """`delivered`: the receiver has taken it. Else `detail` says what is known."""

    delivered: bool
    detail: str


def deliver(letter: Letter) -> Receipt:
    """Tell it. Raises nothing for what the network or the receiver does."""
    refused = _let_out_only_to(_addresses_of(letter.allowed))
    from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
    from apprise.plugins import url_to_dict

    asset = AppriseAsset(app_id="AWFDRS", app_desc="AWFDRS", http_redirects=False)
    parts = url_to_dict(letter.url)
    target = Apprise.instantiate(_with_key(parts, letter.key), asset=asset) if parts else None
    if target is None:
        return Receipt(False, "The address cannot be read any more.")
    to = Apprise(asset=asset)
    to.add(target)
    kind = NotifyType.FAILURE if letter.urgent else NotifyType.INFO
    told = to.notify(
        letter.body, title=letter.title, notify_type=kind, body_format=NotifyFormat.TEXT
    )
    said = refused or [str(line.message) for line in told.logs()]
    return Receipt(bool(told), "" if told else _without_secrets("; ".join(said), letter.url))


def _with_key(parts: dict[str, Any], key: str) -> dict[str, Any]:
    """The key where receivers look for it. Redirects are never followed."""
    parts = parts | {"redirect": False}
    if parts["schema"] in ("json", "jsons", "mailto", "mailtos"):
        name = "Idempotency-Key" if parts["schema"].startswith("json") else "X-AWFDRS-Page"
        parts["headers"] = parts["headers"] | {name: key}
    elif parts["schema"] == "pagerduty":
        parts["dedup"] = key
    elif parts["schema"] == "opsgenie":
        parts["alias"] = key
    return parts


def _addresses_of(hosts: tuple[str, ...]) -> frozenset[str]:
    found = set()
    for host in hosts:
        try:
            found |= {str(row[4][0]) for row in socket.getaddrinfo(host.strip("[]"), None)}
        except OSError:
            continue  # a host of the list that is gone keeps nobody from calling the others
    return frozenset(found)


def _let_out_only_to(allowed: frozenset[str]) -> list[str]:
    """From now on sockets connect to public addresses and to `allowed` alone.

    The list it returns says why, once something was refused.
    """
    refused: list[str] = []
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check(self: socket.socket, address: Any) -> None:
        known = self.family in (socket.AF_INET, socket.AF_INET6)
        if not known or not (address[0] in allowed or is_public(address[0])):
            refused[:] = ["It leads to this machine or its network"]
            raise PermissionError(*refused)

    def guarded(self: socket.socket, address: Any) -> None:
        check(self, address)
        connect(self, address)

    def guarded_ex(self: socket.socket, address: Any) -> int:
        check(self, address)
        return connect_ex(self, address)

    socket.socket.connect = guarded  # type: ignore[assignment,method-assign]
    socket.socket.connect_ex = guarded_ex  # type: ignore[assignment,method-assign]
    return refused


def _without_secrets(text: str, url: str) -> str:
    """`text` without any longer part of `url`: which of them are secret differs by kind."""
    for delimiter in "/:@?&=#,":
        url = url.replace(delimiter, " ")
    for part in sorted(filter(lambda word: len(word) >= 6, url.split()), key=len, reverse=True):
        text = text.replace(part, "[masked]")
    return text[:300]


def main() -> None:
    # The caller ends us at its deadline; if the caller is gone, this does.
    signal.alarm(int(sys.argv[1]))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no part of the answer
    letter = msgspec.json.decode(sys.stdin.buffer.read(), type=Letter)
    with out:
        out.write(msgspec.json.encode(deliver(letter)))


if __name__ == "__main__":
    main()
