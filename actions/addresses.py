"""Which addresses may be called [P14]. What is said here of an address needs no network.

A host that the operator has named (`RETRY_ALLOWED_HOSTS`) is called wherever its name leads, on
any port. Any other host is called by https on port 443, and only if all addresses of its name are
public.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

PORTS = {"http": 80, "https": 443}
# What is given out to be routed (RFC 4291, "Global Unicast"); the rest of IPv6 is special.
_ROUTED = IPv6Network("2000::/3")
_TRANSLATED = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


def objection(url: str, named: Iterable[str]) -> str:
    """Why `url` is never called, whatever its name leads to; empty if it may be."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "The address cannot be read."
    if parsed.scheme not in PORTS or parsed.userinfo or not parsed.host or parsed.fragment:
        return "The address must be plain http(s) without a user name or a fragment."
    if parsed.port is not None and not 0 < parsed.port < 65_536:
        return "The port is none."
    if is_named(parsed, named):
        return ""
    host = parsed.host
    if parsed.scheme != "https" or port_of(parsed) != 443:
        return f"{host} is not among RETRY_ALLOWED_HOSTS, so only by https on port 443."
    if (literal := _literal(host)) is not None:
        return "" if is_public(literal) else not_public(host)
    last = host.rstrip(".").rsplit(".", 1)[-1]
    if "." not in host.rstrip(".") or _NUMBER.fullmatch(last):
        return not_public(host)
    return ""


def not_public(host: str) -> str:
    return f"{host} is not public and not among RETRY_ALLOWED_HOSTS."


def is_named(url: httpx.URL, named: Iterable[str]) -> bool:
    """Whether the operator has named this host, spelt just so."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return host in named


def port_of(url: httpx.URL) -> int:
    return url.port or PORTS[url.scheme]


def is_public(address: str) -> bool:
    """Whether this IP address is one of the public network, also the one that is wrapped in it."""
    return all(_is_public(one) for one in _unwrapped(ip_address(address)))


def _literal(host: str) -> str | None:
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def _unwrapped(ip: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The IPv4 address that an IPv6 one stands for; of 6to4 both, for both are called."""
    if isinstance(ip, IPv4Address):
        return [ip]
    if ip.ipv4_mapped:
        return [ip.ipv4_mapped]
    if ip in _TRANSLATED or ip in _COMPATIBLE:
        return [IPv4Address(int(ip) & 0xFFFF_FFFF)]
    return [ip, ip.sixtofour] if ip.sixtofour else [ip]


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    routed = isinstance(ip, IPv4Address) or ip in _ROUTED
    return routed and ip.is_global and not ip.is_multicast and not ip.is_reserved
