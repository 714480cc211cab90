"""Counting hits in a moving window of a minute, exactly [S4 P11].

Of any 60 seconds at most the limit holds hits that passed. The instant of each is kept, so there is
no boundary at which twice the limit fits. A question names several limits at once: the hit counts
against all of them or, if one is used up, against none.

`SharedWindow` counts for all processes in Redis, in one script and so in one step. Its clock is
Redis's own: the processes' clocks differ, and a process may be held up between reading its clock
and being counted. `LocalWindow` is the same rule in plain Python, for one process.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis

WINDOW_SECONDS = 60
_WINDOW_US = WINDOW_SECONDS * 1_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` hits of `name` a minute."""

    name: str
    most: int


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a limit is used; one more of it is free in `frees_us` microseconds."""

    limit: int
    used: int
    frees_us: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def reset_seconds(self) -> int:
        return -(-self.frees_us // 1_000_000)

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """`uses` as they are after the question, in its order; `over`: which limit refused, if any.

    `is_local`: it was counted in this process alone.
    """

    uses: tuple[Use, ...]
    over: int | None = None
    is_local: bool = False

    @property
    def tightest(self) -> Use:
        """The limit that refused, else the one with the least left."""
        if self.over is not None:
            return self.uses[self.over]
        return min(self.uses, key=lambda use: use.remaining)


# KEYS: for each limit the instants of the hits that passed, in microseconds, the newest first.
# ARGV: the window, whether to count a hit, the time ('': the server's), each limit.
# A clock that was set back is taken to stand still until it has caught up; set back by more than
# the window, it starts anew, for nobody should have to wait for an hour to pass again.
_SCRIPT = """
local window, counts, clock = tonumber(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3])
if not clock then
  local time = redis.call('TIME')
  clock = time[1] * 1000000 + time[2]
end
local over, answer, at, used = 0, {0}, {}, {}
for i, key in ipairs(KEYS) do
  local most = tonumber(ARGV[3 + i])
  local newest = tonumber(redis.call('LINDEX', key, 0) or clock)
  local low, high = 0, redis.call('LLEN', key)
  if newest > clock + window then
    newest, high = clock, 0
  end
  at[i] = math.max(clock, newest)
  local since = at[i] - window
  if high > 0 and tonumber(redis.call('LINDEX', key, high - 1)) > since then
    low = high
  end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if tonumber(redis.call('LINDEX', key, middle)) > since then
      low = middle + 1
    else
      high = middle
    end
  end
  used[i] = low
  if low >= most and over == 0 then
    over = i
  end
end
answer[1] = over
for i, key in ipairs(KEYS) do
  local most = tonumber(ARGV[3 + i])
  if counts and over == 0 then
    redis.call('LPUSH', key, string.format('%.0f', at[i]))
    redis.call('LTRIM', key, 0, used[i])
    used[i] = used[i] + 1
    redis.call('PEXPIRE', key, math.ceil((at[i] - clock + window) / 1000))
  end
  local frees = window
  local nth = math.min(used[i], most)
  if nth > 0 then
    frees = tonumber(redis.call('LINDEX', key, nth - 1)) + window - clock
  end
  answer[2 * i], answer[2 * i + 1] = used[i], frees
end
return answer
"""


class SharedWindow:
    """Counts in Redis. Raises redis.RedisError where it cannot."""

    def __init__(self, client: Redis) -> None:
        self._script = client.register_script(_SCRIPT)

    def ask(self, limits: Sequence[Limit], *, counts: bool, now_us: int | None = None) -> Answer:
        """Look at `limits`, or count one hit against all of them; one round trip.

        `now_us`: the time, where it is not to be Redis's.
        """
        if not limits:
            return Answer(())
        keys = [f"awfdrs:limit:{limit.name}" for limit in limits]
        clock = "" if now_us is None else now_us
        arguments = [_WINDOW_US, int(counts), clock, *(limit.most for limit in limits)]
        over, *figures = self._script(keys=keys, args=arguments)
        pairs = zip(limits, figures[::2], figures[1::2], strict=True)
        uses = tuple(Use(limit.most, used, frees) for limit, used, frees in pairs)
        return Answer(uses, over - 1 if over else None)


class LocalWindow:
    """Counts in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hits: dict[str, deque[int]] = defaultdict(deque)

    def ask(self, limits: Sequence[Limit], *, counts: bool, now_us: int | None = None) -> Answer:
        """As `SharedWindow.ask`; never fails."""
        now = time.monotonic_ns() // 1000 if now_us is None else now_us
        with self._lock:
            hits = [self._counted(limit.name, now) for limit in limits]
            full = (i for i, limit in enumerate(limits) if len(hits[i]) >= limit.most)
            over = next(full, None)
            if counts and over is None:
                for instants in hits:
                    instants.append(now)
            uses = tuple(map(_use, limits, hits, [now] * len(limits)))
            return Answer(uses, over, is_local=True)

    def _counted(self, name: str, now: int) -> deque[int]:
        """The hits of the last minute, the oldest first."""
        instants = self._hits[name]
        while instants and instants[0] <= now - _WINDOW_US:
            instants.popleft()
        return instants


def _use(limit: Limit, instants: deque[int], now: int) -> Use:
    used = len(instants)
    nth = min(used, limit.most)
    frees = instants[used - nth] + _WINDOW_US - now if nth else _WINDOW_US
    return Use(limit.most, used, frees)
