"""One spelling for an error code, whatever the sender's habit."""

import re
import unicodedata

MAX_CODE_CHARS = 200

# Codes that say only "it failed": they would put unlike failures in one incident.
_SAYS_NOTHING = {
    *("0", "1", "err", "error", "exception", "fail", "failed", "failure", "false", "fault"),
    *("general_error", "generic_error", "n_a", "na", "nil", "none", "null", "true"),
    *("undefined", "unknown", "unknown_error"),
}

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_WORD = re.compile(r"[\W_]+")


def normalise_code(code: str) -> str:
    """`RateLimitError`, `rate-limit error` and `RATE_LIMIT_ERROR` are `rate_limit_error`.

    Returns lower snake case of at most 200 characters; "" for a code without a letter or digit.
    Idempotent.
    """
    text = unicodedata.normalize("NFKC", code[:MAX_CODE_CHARS])
    text = _NOT_WORD.sub("_", _HUMP.sub("_", text)).strip("_").casefold()
    return text[:MAX_CODE_CHARS].strip("_")


def telling_code(code: str) -> str:
    """The normalised code, or "" for placeholders such as `unknown`, `Error`, `n/a`, `0`."""
    normal = normalise_code(code)
    return "" if normal in _SAYS_NOTHING else normal
