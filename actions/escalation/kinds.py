"""The kinds of channel, and which addresses are taken [A6 P14].

An address is one of apprise's URLs (github.com/caronc/apprise/wiki); a kind is a line here.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from actions.addresses import is_public
from awfdrs_site.kernel.problem import FieldError, Problem, invalid

MAX_CHARS = 2_000


@dataclass(frozen=True)
class Kind:
    """`schemas`: the beginnings of its URLs. `hosted`: the URL names a host, not an account."""

    label: str
    schemas: tuple[str, ...]
    hosted: bool = False


KINDS = {
    "email": Kind("e-mail", ("mailto", "mailtos"), hosted=True),
    "slack": Kind("Slack", ("slack",)),
    "teams": Kind("Microsoft Teams", ("workflow", "workflows"), hosted=True),
    "pagerduty": Kind("PagerDuty", ("pagerduty",)),
    "opsgenie": Kind("Opsgenie", ("opsgenie",)),
    "webhook": Kind("webhook", ("json", "jsons"), hosted=True),
    "discord": Kind("Discord", ("discord",)),
    "telegram": Kind("Telegram", ("tgram",)),
    "google_chat": Kind("Google Chat", ("gchat",)),
    "mattermost": Kind("Mattermost", ("mmost", "mmosts"), hosted=True),
    "ntfy": Kind("ntfy", ("ntfy", "ntfys"), hosted=True),
    "twilio": Kind("Twilio SMS", ("twilio",)),
}
_KIND_OF = {schema: name for name, kind in KINDS.items() for schema in kind.schemas}
# These name a file of this machine, whose content would be sent.
_FILE_OPTIONS = ("template", "pgp", "pgppub", "pgpprv", "pgpkey", "attach")
_INTERNAL = re.compile(r"(^|\.)(localhost|local|internal|intranet|lan|home\.arpa)\.?$")


def kind_of(url: str, allowed: Collection[str]) -> str:
    """The kind of channel that `url` is of.

    400 `url_not_allowed` where it leads to this machine or its network, unless the host is one of
    `allowed`, and for kinds and options that are not taken; 400 `validation_error` where it cannot
    be read. A name is judged when it is called, by the address it then leads to (`courier`).
    """
    parts = _parts_of(url)
    name = _KIND_OF.get(parts["schema"])
    if name is None:
        raise _not_allowed(f"{parts['schema'][:20]}:// is no kind of channel that is taken.")
    if files := sorted(set(parts["qsd"]) & set(_FILE_OPTIONS)):
        raise _not_allowed(f"The option {files[0]} names a file of this machine.")
    if KINDS[name].hosted:
        for host in (parts.get("host"), parts.get("smtp_host")):
            if host and host not in allowed and is_internal(host):
                raise _not_allowed("It leads to this machine or its network.")
    return name


def _parts_of(url: str) -> dict[str, Any]:
    # A second to load, and only those who write a channel need it.
    from apprise import Apprise
    from apprise.plugins import url_to_dict

    # It logs what it cannot load, with the passwords in it.
    logging.getLogger("apprise").disabled = True
    parts = url_to_dict(url) if len(url) <= MAX_CHARS else None
    known = parts is not None and parts["schema"] in _KIND_OF
    if parts is None or (known and Apprise.instantiate(dict(parts)) is None):
        detail = "This is no address of a channel, such as mailto://… or slack://…"
        raise invalid([FieldError("url", "invalid_url", detail)])
    return parts


def _not_allowed(detail: str) -> Problem:
    return Problem(400, "url_not_allowed", detail)


def is_internal(host: str) -> bool:
    """Whether `host`, however it is spelt, is no address or name of the public network."""
    host = host.strip("[]").lower()
    try:
        return not is_public(str(ip_address(host)))
    except ValueError:
        pass
    try:
        # What the system takes for an IPv4 address too: 127.1, 2130706433, 0x7f.1.
        return not is_public(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        return "." not in host.rstrip(".") or _INTERNAL.search(host) is not None
