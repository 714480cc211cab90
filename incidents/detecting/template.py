"""The template of a message: what stays the same when the same thing fails again.

`Order 4711 of bob@example.org timed out after 30.2 s` becomes
`Order <num> of <email> timed out after <amount>`.

Each message is masked by itself (no state, so any process gives the same answer in any order)
in one pass of one precompiled pattern. The rule behind the masks: what can take any number of
values is masked (numbers, ids, names in quotes, values after `=`, addresses, paths, instants);
what says which failure it is stays (words, exception classes, HTTP 4xx and 5xx, SQLSTATE, exit
codes, the value of a field called code, error, reason, state ...). Every repeat in the pattern is
possessive or bounded and the text is cut, so that no sender can make it slow.

Masking before grouping: He et al., Drain (ICWS 2017), section III-B; Sentry and Drain3 do the same.
"""

import re

MAX_MESSAGE_CHARS = 2048

# Start and end of a run of letters and digits; an underscore separates (`order_17`).
_START = r"(?<![^\W_])"
_END = r"(?![^\W_])"

_NUMBER = r"\d++(?:[.,]\d++){0,7}+"
_UNIT = (
    r"(?:bytes?|[KMGTP]i?B|B|bits?|ms|msecs?|us|µs|ns|s|secs?|seconds?|m|mins?|minutes?"
    r"|h|hrs?|hours?|d|days?|weeks?|%)"
)
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d++)?)?"

# Fields whose value tells failures apart.
_TELLING_FIELD = (
    r"(?:\w{0,24}code|\w{0,24}error\w{0,24}|err|\w{0,24}type|status|state|reason|cause|exception|class|kind"
    r"|message|msg|detail|method|action|operation|op|phase|step)"
)
_CODE_FIELD = (
    r"(?<!_)(?:(?:\w{0,24}_)?"
    r"(?:error|err|status|response|result|return|exit|reason|fault)[ _]?)?code"
)
_ANSWERED = r"(?:failed|response|returned|responded)(?: with)?"
_DOUBLE_QUOTED = r'"(?:[^"\\\n]|\\.)*+"'
_IN_BRACKETS = r"(?:\{[^{}\n]*+\}|\([^()\n]*+\)|\[[^\[\]\n]*+\])?"
_SINGLE_QUOTED = r"(?<!\w)'[^'\n]*+'(?!\w)"
_LABEL = r"[a-z0-9][a-z0-9-]{0,62}\."
_SOURCE_FILE = r"(?:py|js|ts|jsx|tsx|go|rs|rb|java|kt|scala|php|cs|c|cc|cpp|h|sql|sh|ex|pl):"

# Words after "user", "customer" ... that are not somebody's name.
_NOT_A_NAME = (
    r"access|account|already|data|does|error|group|has|id|input|is|limit|name|not|password|pool"
    r"|profile|quota|record|request|role|session|table|token|was"
)

# A segment with a digit, and the segments that belong to the same identifier.
_WITH_DIGIT = r"(?=[^\W\d_]*+\d)[^\W_]++"
_JOIN = r"[_~-]{1,2}"

# Most words: letters, then a space or a closing mark. They need no further look.
_PLAIN = r"[^\W\d_]++(?:[ ,;)](?!=)|$)"

# At one position the first alternative that fits wins. Quotes may stand anywhere ...
_QUOTED = {
    "constant": r"""["'`](?:[A-Z][A-Z0-9]*+(?:_[A-Z0-9]++)++|[\w.]*(?:Error|Exception))["'`]""",
    "said": rf"""["'](?i:{_TELLING_FIELD})["']\s?:\s?(?P<q0>["'])[^"'\n]*+(?P=q0)""",
    "field": r"""(?<=[{,])(?P<q1>["'])[\w.$@-]{1,64}+(?P=q1)(?=\s?:)"""
    r"""|(?<=[{,]\s)(?P<q2>["'])[\w.$@-]{1,64}+(?P=q2)(?=\s?:)""",
    "request": r'"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) [^"\n]*+"',
    "text": rf"{_DOUBLE_QUOTED}|{_SINGLE_QUOTED}|`[^`\n]*+`|“[^”\n]*+”|«[^»\n]*+»",
}
# ... these begin a word and are known by it ...
_KNOWN_WORD = {
    "word": r"(?i:utf8|utf16|sha1|sha256|sha512|md5|ipv4|ipv6|http2|oauth2|s3|ec2|k8s|x509|x86"
    rf"|amd64|arm64|base64|int32|int64|pkcs12|v\d){_END}",
    "status": rf"(?i:(?:http(?:/\d(?:\.\d)?)?|status|error|{_ANSWERED})[ :=#(]{{1,3}}[45]\d\d{_END}"
    rf"|{_CODE_FIELD}[ :=#(\[]{{1,3}}[\"']?[a-z]{{0,8}}[-_]?\d{{1,6}}{_END}"
    rf"|(?:exit[ _]?status|errno|sqlstate|sqlcode|signal)[ :=#(\[]{{1,3}}-?\d{{1,5}}{_END}"
    r"|(?:ORA|TNS|PLS|SQL|DB2|AADSTS|CVE)-?\d++)",
    "stated": rf"""(?i:{_TELLING_FIELD})\s?[:=]?\s?(?<=[\s:=])(?P<q3>["'])[^"'\n]*+(?P=q3)""",
    "name": r"(?i:user|username|customer|account|tenant|member):? "
    rf"(?!(?i:{_NOT_A_NAME})\b)[\w.@-]++(?= (?:from|at|on|by|is|has|was|not|does|cannot|\[)|$)",
    "day": rf"(?:{_DAY},? )?(?:{_MONTH} \d{{1,2}}|\d{{1,2}} {_MONTH})(?:,? \d{{4}}{_END})?"
    rf"(?:,? {_CLOCK})?(?: [A-Z]{{3,4}}\b| [+-]\d{{4}})?(?: \d{{4}})?{_END}",
}
# ... and these begin a word that is not a plain one.
_ODD_WORD = {
    "exception": r"(?=[A-Za-z_.]{1,80}+\d)"
    rf"[A-Za-z][\w.]{{0,80}}(?:Error|Exception|Failure|Timeout|Refused){_END}",
    "pair": rf"(?<![_.-])(?!(?i:{_TELLING_FIELD})\b)[A-Za-z][\w.-]*+\s?=(?!=)\s?"
    rf"(?:{_DOUBLE_QUOTED}|'[^'\n]*+'|[^\s,;(){{}}\[\]\"'=]++(?!\s?=){_IN_BRACKETS})",
    "url": r"(?:[A-Za-z][A-Za-z0-9+.-]{1,15}+://|arn:)[^\s\"'<>)\]},]++",
    "email": r"[\w.%+-]{1,64}+@[\w-]++(?:\.[\w-]++){0,8}+",
    "uuid": rf"[0-9A-Fa-f]{{8}}-(?:[0-9A-Fa-f]{{4}}-){{3}}[0-9A-Fa-f]{{12}}{_END}",
    "time": rf"(?:\d{{4}}[-/.]\d\d?[-/.]\d\d?(?:[T ]{_CLOCK}(?:\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?)?"
    rf"|\d{{1,2}}:\d\d:\d\d(?:[.,]\d++)?){_END}",
    "host": r"/?\d{1,3}(?:\.\d{1,3}){3}(?::\d++)?(?![\w.])"
    rf"|[a-z0-9][a-z0-9-]{{0,62}}+(?:\.(?!{_SOURCE_FILE})[a-z0-9-]++){{1,8}}+:\d{{1,5}}{_END}"
    rf"|localhost(?::\d++)?(?!\w)|(?:{_LABEL}){{3,8}}(?!id)[a-z]{{2}}(?![\w.(])"
    rf"|(?:{_LABEL}){{1,8}}(?:com|net|org|io|dev|edu|gov|local|internal|lan)(?![\w.(])",
    "mac": rf"(?:[0-9A-Fa-f]{{2}}:){{5}}[0-9A-Fa-f]{{2}}{_END}",
    "ip": r"(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6}::(?![:\w])"
    rf"|(?:[0-9A-Fa-f]{{0,4}}:){{2,7}}[0-9A-Fa-f]{{1,4}}(?:%\w++)?{_END})",
    "path": r"(?<![<.:])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\][\w.@%+=~:#$-]++)++[/\\]?"
    r"|(?<!-)[\w-]++(?:/[\w.-]++){2,}+",
    "amount": rf"[<>~]?[+-]?{_NUMBER}\s?{_UNIT}{_END}(?:\s\({_NUMBER}\s?{_UNIT}\))?",
    "key": rf"{_WITH_DIGIT}(?:{_JOIN}(?:[^\W_]{{1,2}}{_JOIN}){{0,3}}{_WITH_DIGIT}){{1,16}}+",
    "hex": rf"(?:0[xX][0-9A-Fa-f]++|(?=[A-Fa-f]*+\d)[0-9A-Fa-f]{{8,}}+"
    rf"|[a-f]{{8}}|[A-F]{{8}}){_END}",
    "num": rf"[+-]?{_NUMBER}(?:[:/]\d++){{0,4}}+{_END}",
    "id": _WITH_DIGIT,
}


def _any_of(patterns: dict[str, str]) -> str:
    return "|".join(f"(?P<{name}>{pattern})" for name, pattern in patterns.items())


_VARIABLE = re.compile(
    f"{_any_of(_QUOTED)}|{_START}(?!_)(?:{_any_of(_KNOWN_WORD)}|(?!{_PLAIN})(?:{_any_of(_ODD_WORD)}))"
)
# What the reader sees for an alternative whose name is not plain enough.
_SHOWN = {"day": "time", "ip": "host", "mac": "host", "uuid": "id", "key": "id", "hex": "id"}
_MASK = {
    name: f"<{_SHOWN.get(name, name)}>"
    for name in ("text", "day", *_ODD_WORD)
    if name not in ("exception", "pair")
}

# Neighbouring masks and the marks between them: lists of any length are one thing.
_RUN = re.compile(r"(?:[-+/:.@#]?<\*>)(?:[\s,;:/.@#_-]*+<\*>)++")
_ANY_MASK = re.compile("|".join(sorted({*_MASK.values(), "<value>", "<name>"})))


def template_of(message: str) -> str:
    """The message's telling line with every variable part replaced by a typed mask.

    At most 2048 characters are read. Deterministic; "" for a message without text.
    """
    return _VARIABLE.sub(_replacement, telling_line(message))


def taken_out(message: str) -> list[tuple[str, str]]:
    """What `template_of` takes out of a message, in order: each mask and what stood there."""
    found = []
    for match in _VARIABLE.finditer(telling_line(message)):
        mask = _replacement(match)
        if mask != match.group():
            found.append((mask, match.group()))
    return found


def shape_of(template: str) -> str:
    """The template without the types of its masks and without case: what is compared.

    `took <amount>` and `took <num>`, `ids <num>, <num>` and `ids <num>`, `blk_<num>` and
    `blk_<num> blk_<num>` are each one shape.
    """
    words: list[str] = []
    for word in _RUN.sub("<*>", _ANY_MASK.sub("<*>", template)).casefold().split():
        if not words or "<*>" not in word or word.rstrip(",;") != words[-1].rstrip(",;"):
            words.append(word)
    return " ".join(words)


def telling_line(message: str) -> str:
    """The line that names the failure, cut to 2048 characters.

    The first line that is not blank (with the next one if it ends in a colon); of a Python
    traceback the last line, where Python puts the exception.
    """
    text = message[:MAX_MESSAGE_CHARS].strip()
    if "\n" not in text and "\r" not in text:
        return " ".join(text.split())
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    if lines[0].startswith("Traceback (most recent call last)"):
        lines = message[-MAX_MESSAGE_CHARS:].rstrip().splitlines() or lines
        return " ".join(lines[-1].split())
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]


def _replacement(match: re.Match[str]) -> str:
    name = match.lastgroup or ""
    text = match.group()
    if name == "pair":
        return text.partition("=")[0].rstrip() + "=<value>"
    if name == "name":
        return text.rpartition(" ")[0] + " <name>"
    if name == "request":
        return f'{text.partition(" ")[0]} <url>"'
    if name in ("said", "stated"):
        return _mask_said(text)
    return _MASK.get(name, text)


def _mask_said(text: str) -> str:
    """A telling field and its quoted value: the value is masked like plain text."""
    quote = text[-1]
    start = text.rindex(quote, 0, -1) + 1
    return text[:start] + _VARIABLE.sub(_replacement, text[start:-1]) + quote
