"""`python -m bench.faults --seed n --scale small|full`: prints one table; exits 1 on a breach.

The seed decides which orders, plans and points of their way are hit; two runs with one seed hit the
same. Servers, workers and target are its own.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING

from bench.instance import database

if TYPE_CHECKING:
    from bench.faults.target import Target
    from bench.faults.verdict import Verdict

# For each scale: P5 actions and kills, P6 actions and stops, P8 people and rounds, and of P9 one
# case of so many.
SCALES = {
    "small": ((120, 18), (40, 12), (20, 5), 8),
    "full": ((2000, 60), (200, 50), (100, 50), 1),
}
PROMISES = ("P5", "P6", "P8", "P9")


def scenes(seed: int, scale: str, target: Target) -> dict[str, Callable[[], Verdict]]:
    from bench.faults import approvals, plans, sends

    kills, stops, people, share = SCALES[scale]
    return {
        "P5": lambda: sends.no_action_is_sent_twice(Random(seed), *kills, target),
        "P6": lambda: sends.a_lost_lease_sends_and_writes_nothing(Random(seed), *stops, target),
        "P8": lambda: approvals.one_approval_wins(*people, target),
        "P9": lambda: plans.plans_resume_at_every_boundary(Random(seed), share, target),
    }


def play(wanted: list[str], seed: int, scale: str) -> Iterator[Verdict]:
    from bench.faults import kinds
    from bench.faults.target import a_target

    kinds.register()
    with a_target() as target:
        all_scenes = scenes(seed, scale, target)
        for name in wanted:
            began = time.monotonic()
            verdict = all_scenes[name]()
            seconds = time.monotonic() - began
            print(f"  {verdict.promise}: {seconds:.0f} s", file=sys.stderr, flush=True)
            yield verdict


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("promises", nargs="*", metavar="PROMISE", help="of P5 P6 P8 P9; all")
    asked = parser.parse_args()
    if unknown := set(asked.promises) - set(PROMISES):
        parser.error(f"no such promise: {', '.join(sorted(unknown))}")
    # Ended from outside it still takes along its workers, the stopped ones too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with database():
        from bench.faults.verdict import table

        verdicts = list(play(asked.promises or list(PROMISES), asked.seed, asked.scale))
    print(f"seed {asked.seed}, {asked.scale}")
    print(table(verdicts))
    return 1 if any(verdict.broken for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
