"""Secrets and card numbers, masked before anything is stored or printed [E10].

Every pattern takes time linear in the text: senders choose it, and may send a mebibyte.
"""

from __future__ import annotations

import re
from typing import Any

MASK = "[masked]"
CARD_MASK = "[masked card]"
_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase|code)?$|^pwd$|secret|token$|api[_-]?key|access[_-]?key$|^auth$"
    r"|authorization|cookie|credential|private[_-]?key|session[_-]?(id|key)$"
    r"|^(cvv2?|cvc2?|pin|pan|card[_-]?(number|no)|x-csrftoken)$",
    re.IGNORECASE,
)
# Keys whose names look secret but hold none.
_HARMLESS_KEY = re.compile(r"^idempotency_key$|^next_?page_?token$|^by_?pass$", re.IGNORECASE)
# The look-behinds, where `\b` would do to match, keep a run of look-alikes linear.
_SECRET_TEXT = re.compile(
    r"(?<![A-Za-z0-9])awf_[A-Za-z0-9]{4,16}_[A-Za-z0-9_-]{16,}"
    r"|\bwhsec_[A-Za-z0-9+/=]{16,}"
    r"|\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\b(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{20,}"
    r"|(?<![A-Za-z0-9-])xox[abeoprs]-[A-Za-z0-9-]{10,}"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
# With a digit, padding or mixed case in it: "bearer authentication failed" stays readable.
_BEARER = re.compile(
    r"\b(Bearer|Basic|Token)(\s+)(?=[^\s\"']*(?:[\d=]|(?-i:[a-z][A-Z])))[A-Za-z0-9._~+/=-]{8,}",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s/@]+@")
_ASSIGNED = re.compile(
    r"(?<![A-Za-z0-9])((?:\w{1,40}_)?(?:password|passwd|passphrase|pwd|secret|api[_-]?key"
    r"|access[_-]?key|sessionid|csrftoken))([\"'\\]{0,3}\s{0,8}[=:]\s{0,8}[\"'\\]{0,3})"
    r"[^\s\"'&,;\\]{3,}",
    re.IGNORECASE,
)
_ASSIGNED_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])((?:\w{1,40}_)?token)([\"'\\]{0,3}\s{0,8}[=:]\s{0,8}[\"'\\]{0,3})"
    r"(?=[^\s\"'&,;\\]*\d)[^\s\"'&,;\\]{8,}",
    re.IGNORECASE,
)
_CARD = re.compile(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w-]|\.\d)")
# Issuer ranges and the lengths they use: Visa, Mastercard, Amex, Diners, JCB, Discover & others.
_ISSUER = re.compile(
    r"4(\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(2[2-9]|[3-6]\d|7[01])\d{13}|3[47]\d{13}"
    r"|3[068]\d{12}|35\d{14}|6\d{15,18}"
)


def _luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812-1, annex B."""
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _is_card(digits: str) -> bool:
    return _ISSUER.fullmatch(digits) is not None and _luhn(digits)


def _mask_card(match: re.Match[str]) -> str:
    return CARD_MASK if _is_card(re.sub(r"\D", "", match[0])) else match[0]


def scrub_text(text: str) -> str:
    """`text` with keys, tokens, passwords in URLs or assignments, and card numbers masked."""
    text = _SECRET_TEXT.sub(MASK, text)
    text = _BEARER.sub(rf"\1\2{MASK}", text)
    text = _URL_PASSWORD.sub(rf"\1{MASK}@", text)
    text = _ASSIGNED.sub(rf"\1\2{MASK}", text)
    text = _ASSIGNED_TOKEN.sub(rf"\1\2{MASK}", text)
    return _CARD.sub(_mask_card, text)


def scrub(value: Any) -> Any:
    """A copy of JSON-like `value` with secrets masked, by key name and by the look of the text."""
    if isinstance(value, str):
        return scrub_text(value)
    if isinstance(value, dict):
        return {
            scrub_text(key) if isinstance(key, str) else key: (
                MASK if item and _is_secret(key) else scrub(item)
            )
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [scrub(item) for item in value]
    if type(value) is int and _is_card(str(value)):
        return CARD_MASK
    return value


def _is_secret(key: object) -> bool:
    return (
        isinstance(key, str)
        and _SECRET_KEY.search(key) is not None
        and _HARMLESS_KEY.search(key) is None
    )
