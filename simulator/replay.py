"""Posts a public log file line by line as failure events, to see how AWFDRS groups them."""

import csv
import gzip
import ipaddress
import itertools
import secrets
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from simulator.delivery import Fate
from simulator.events import EventFactory
from simulator.sender import Counts, Sender

EVENT_TYPE = "log.line.failed"
COLUMNS = ("LineId", "Content")
MAX_MESSAGE_CHARS = 8_000
PROGRESS_SECONDS = 2.0
GIVE_UP_AFTER_SECONDS = 60.0


class ReplayError(Exception):
    """The replay cannot start or go on; the text is one line for the person who asked."""


@dataclass(frozen=True)
class Line:
    """One line of a log file."""

    number: str
    content: str


@dataclass(frozen=True)
class Summary:
    """What became of a replay; `seconds` from the first post to the last answer."""

    posted: int
    accepted: int
    refused: int
    unsent: int
    seconds: float

    def __str__(self) -> str:
        unsent = f", unsent {self.unsent}" if self.unsent else ""
        return (
            f"posted {self.posted}, accepted {self.accepted}, refused {self.refused}{unsent}, "
            f"seconds {self.seconds:.1f}"
        )


def is_loopback(url: str) -> bool:
    """Whether every address the URL's host stands for is this machine."""
    host = urlsplit(url).hostname
    if not host:
        return False
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(entry[4][0]).is_loopback for entry in found)


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="")
    return path.open(encoding="utf-8", errors="replace", newline="")


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a Loghub-format file (CSV, gzipped or not), without empty ones.

    ReplayError when the file is missing, unreadable or lacks the columns LineId and Content.
    """
    try:
        with _open(path) as file:
            rows = csv.DictReader(file)
            if not set(COLUMNS) <= set(rows.fieldnames or ()):
                raise ReplayError(f"{path}: needs the columns {' and '.join(COLUMNS)}")
            for row in rows:
                # PostgreSQL stores no NUL, so AWFDRS would refuse the line.
                content = (row["Content"] or "").replace("\0", "\N{REPLACEMENT CHARACTER}")
                if content.strip():
                    yield Line(row["LineId"] or "", content[:MAX_MESSAGE_CHARS])
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ReplayError(f"cannot read {path}: {reason}") from error
    except csv.Error as error:
        raise ReplayError(f"{path} is not CSV: {error}") from error


def _pace(rate: float) -> Iterator[None]:
    """Yields no faster than `rate` times a minute; 0 is without a limit."""
    due = time.monotonic()
    while True:
        if rate > 0:
            time.sleep(max(0.0, due - time.monotonic()))
            due += 60.0 / rate
        yield


def _summary(counts: Counts, seconds: float) -> Summary:
    accepted = counts.accepted + counts.duplicate
    unsent = counts.unsent + counts.pending
    return Summary(counts.submitted, accepted, counts.refused, unsent, seconds)


def replay(
    path: Path,
    *,
    url: str,
    key: str,
    tenant_id: str,
    workflow_id: str,
    limit: int = 2_000,
    rate: float = 0.0,
    concurrency: int = 4,
    progress: Callable[[str], None] = lambda text: None,
) -> Summary:
    """Post at most `limit` lines, `rate` a minute (0: as fast as answers come) over `concurrency`
    connections; each line is one `log.line.failed` event with its content as error_message.

    ReplayError when the file cannot be used or AWFDRS does not answer. A KeyboardInterrupt ends
    it early and is raised again after the summary so far was passed to `progress`.
    """
    lines = itertools.islice(read_lines(path), limit)
    first = next(lines, None)
    if first is None:
        raise ReplayError(f"{path} has no lines")
    factory = EventFactory(tenant_id, prefix=f"replay-{secrets.token_hex(3)}")
    sender = Sender(
        url,
        key,
        workers=concurrency,
        capacity=concurrency * 16,
        give_up_after_seconds=GIVE_UP_AFTER_SECONDS,
    )
    sender.start()
    begun = told = time.monotonic()
    try:
        for line, _ in zip(itertools.chain([first], lines), _pace(rate), strict=False):
            payload = {"error_message": line.content, "source": path.name, "line": line.number}
            delivery = sender.submit(factory.build(workflow_id, EVENT_TYPE, payload))
            if line is first:
                delivery.wait()
                if delivery.fate is Fate.UNSENT:
                    raise ReplayError(f"no answer from {url} ({delivery.code})")
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
                progress(str(_summary(sender.counts(), told - begun)))
        sender.drain(GIVE_UP_AFTER_SECONDS * 2)
    except KeyboardInterrupt:
        progress("interrupted: " + str(_summary(sender.counts(), time.monotonic() - begun)))
        raise
    finally:
        ended = time.monotonic()
        counts = sender.stop(drain_seconds=0.0)
    return _summary(counts, ended - begun)
