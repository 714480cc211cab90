"""Filters of the pages: small turns of a value into words. Registered by `templatetags/ui.py`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.safestring import SafeString

from awfdrs_site.kernel.ui import json_html, svg, tones, wording


def duration(value: float | timedelta | None) -> str:
    """Seconds or a timedelta as `2 m 46 s`."""
    return wording.duration(value)


def since(later: datetime, earlier: datetime | None) -> timedelta | None:
    """`later - earlier`, None when one is unknown."""
    return later - earlier if later and earlier else None


def initials(name: Any) -> str:
    """Two letters for a person."""
    full = name.get_full_name() if hasattr(name, "get_full_name") else ""
    return wording.initials(full or str(name))


def person(user: Any) -> str:
    """A person's full name, else the log-in name."""
    return (user.get_full_name() if hasattr(user, "get_full_name") else "") or str(user)


def percent(value: float | None) -> float:
    """A share 0 to 1 as 0 to 100."""
    return svg.percent(float(value or 0))


def shortfall(value: float, line: float) -> str:
    """`0.14 short`, `0.06 over`."""
    return wording.shortfall(float(value), float(line))


def words(value: str) -> str:
    """`vendor_rate_limit` as `vendor rate limit`."""
    return str(value).replace("_", " ")


def json_tokens(value: Any) -> SafeString:
    """A JSON document, indented and marked, for `<pre>`."""
    return json_html.render(value)


def at(mapping: Any, key: str) -> Any:
    """`mapping[key]` for a key that is a variable; empty when missing."""
    return mapping.get(key, "") if isinstance(mapping, Mapping) else getattr(mapping, key, "")


def split_words(text: str) -> list[str]:
    """A constant list written in a template."""
    return text.split()


def ranges(text: str) -> list[tuple[str, str]]:
    """`"1h 7d"` as pairs of a query value and how people read it: `("1h", "1 h")`."""
    return [(item, f"{item[:-1]} {item[-1]}") for item in text.split()]


def gate_reason(receipt: Any) -> str:
    """The reason of the first check that did not pass, empty when all did."""
    checks = receipt.get("checks") or () if isinstance(receipt, Mapping) else ()
    for check in checks:
        if check.get("verdict") != "pass":
            return str(check.get("reason", ""))
    return ""


def gate_counts(receipt: Any) -> dict[str, Any]:
    """`passed` (how many) and `others` (the checks that block or wait) of a receipt."""
    checks = list(receipt.get("checks") or ()) if isinstance(receipt, Mapping) else []
    return {
        "passed": sum(1 for check in checks if check.get("verdict") == "pass"),
        "others": [
            {"check": check, "look": tones.verdict(str(check.get("verdict", "")))}
            for check in checks
            if check.get("verdict") != "pass"
        ],
    }


def suffix(text: str, value: Any) -> str:
    """`text` with a value of any type behind it, for ids."""
    return f"{text}{value}"


def choices(text: str) -> list[str]:
    """A constant list of phrases written in a template, `A|B`."""
    return text.split("|")


def pairs(text: str) -> list[tuple[str, str]]:
    """Constant (value, words) pairs written in a template, `15:15 min|:until resumed`."""
    return [(value, words) for value, _, words in (item.partition(":") for item in text.split("|"))]


def not_closed(vendors: Any) -> int:
    """How many breakers are open or half-open."""
    return sum(1 for vendor in vendors or () if vendor.breaker_state != "closed")


def figure(value: float) -> str:
    """A confidence or a score with two digits, rounded as the sentences of the machine are."""
    return f"{value:.2f}"


def summands(parts: Any) -> list[Any]:
    """The parts of a confidence, whether they stand alone or beside its range."""
    return list(parts.get("parts") or ()) if isinstance(parts, Mapping) else list(parts or ())


def signed(value: float) -> str:
    """`+0.12`, `\u22120.05`: a summand with its sign."""
    return f"{value:+.2f}".replace("-", "\u2212")


def capped(count: int) -> str:
    """A count that was not gone on with past a thousand: `999`, `1,000+`."""
    return "1,000+" if count > 1000 else f"{count:,}"


def undo_of(message: Any) -> str:
    """What the Undo of a message takes back (ids with commas between); empty: it has none."""
    tags = str(getattr(message, "extra_tags", "") or "")
    return tags.removeprefix("undo:") if tags.startswith("undo:") else ""


ALL = (
    duration,
    since,
    initials,
    person,
    percent,
    shortfall,
    words,
    json_tokens,
    at,
    split_words,
    ranges,
    gate_reason,
    gate_counts,
    suffix,
    choices,
    pairs,
    not_closed,
    figure,
    summands,
    signed,
    capped,
    undo_of,
)
