"""Faults a drill can inject into the retry endpoint, and its other adjustable behaviour."""

import threading
from dataclasses import asdict, dataclass, replace
from typing import Any

MODES = ("normal", "status", "hang", "drop")
MAX_HANG_SECONDS = 600.0
MAX_DELAY_SECONDS = 3_600.0


class ControlError(ValueError):
    """A control request cannot be used; the text says why."""


@dataclass(frozen=True)
class Behaviour:
    """How the endpoint answers.

    mode: normal; status = answer `status`; hang = answer `hang_seconds` late; drop = close the
    connection without an answer. accept: whether the request is taken in (and run) all the same;
    None means no for status and yes for hang and drop. times: for that many requests, then normal
    again; None means until changed. methods: the HTTP methods it applies to. delay_seconds: time
    from acceptance to the end of the re-run. honour_idempotency: False makes a target that runs
    every request it gets.
    """

    mode: str = "normal"
    status: int = 500
    hang_seconds: float = 30.0
    accept: bool | None = None
    times: int | None = None
    methods: tuple[str, ...] = ("POST",)
    delay_seconds: float = 1.0
    honour_idempotency: bool = True

    @property
    def accepts(self) -> bool:
        """Whether a request met by the fault is taken in nevertheless."""
        return self.mode != "status" if self.accept is None else self.accept


_FAULT_FIELDS = ("status", "hang_seconds", "accept", "times", "methods")


def _number(low: float, high: float, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _valid(name: str, value: Any) -> bool:
    """Whether a control request may set this field to this value."""
    match name:
        case "mode":
            return value in MODES
        case "status":
            return isinstance(value, int) and _number(200, 599, value)
        case "hang_seconds":
            return _number(0, MAX_HANG_SECONDS, value)
        case "delay_seconds":
            return _number(0, MAX_DELAY_SECONDS, value)
        case "accept":
            return value is None or isinstance(value, bool)
        case "times":
            return value is None or (isinstance(value, int) and _number(1, 1_000_000, value))
        case "methods":
            known = isinstance(value, list | tuple) and all(m in ("GET", "POST") for m in value)
            return known and len(value) > 0
        case "honour_idempotency":
            return isinstance(value, bool)
    return False


class Faults:
    """The behaviour in force; thread-safe."""

    def __init__(self, delay_seconds: float = 1.0) -> None:
        self._lock = threading.Lock()
        self._now = Behaviour(delay_seconds=delay_seconds)

    def change(self, **changes: Any) -> Behaviour:
        """Change the named fields; naming `mode` first sets the other fault fields to their
        defaults. ControlError, and nothing changed, when a name or value is not allowed."""
        for name, value in changes.items():
            if not _valid(name, value):
                raise ControlError(f"{name}: not a known field, or not an allowed value")
        if "methods" in changes:
            changes["methods"] = tuple(changes["methods"])
        with self._lock:
            if "mode" in changes:
                defaults = Behaviour()
                reset = {name: getattr(defaults, name) for name in _FAULT_FIELDS}
                changes = {**reset, **changes}
            self._now = replace(self._now, **changes)
            return self._now

    def take(self, method: str) -> Behaviour:
        """The behaviour for one request of this method; uses up one of its `times`."""
        with self._lock:
            now = self._now
            if now.mode == "normal" or method not in now.methods:
                return replace(now, mode="normal")
            if now.times is not None:
                left = now.times - 1
                self._now = replace(now, times=left) if left else replace(now, mode="normal")
            return now

    def as_dict(self) -> dict[str, Any]:
        """The behaviour in force as plain data."""
        with self._lock:
            return asdict(self._now)
