"""Prints the table of the drill; exits 1 if a promise was broken, naming it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.drill import acts, logs
from bench.drill.result import Result
from bench.instance import Instance, database, running

COLUMNS = (
    "scenario",
    "events",
    "incidents",
    "decision",
    "gate",
    "action",
    "outcome",
    "recovered in",
    "",
)


def cells(result: Result) -> tuple[str, ...]:
    seconds = "" if result.seconds is None else f"{result.seconds:.1f} s"
    return (
        result.scenario,
        str(result.events),
        str(result.incidents or ""),
        result.decision,
        result.gate,
        result.action,
        result.outcome,
        seconds,
        "BROKEN" if result.broken else "ok",
    )


def show(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def play(instance: Instance, only: Sequence[str]) -> list[Result]:
    """Those drills, or all."""
    results = []
    for name, drill in acts.all_drills().items():
        if not only or name in only:
            results.append(drill(instance))
            print(f"  played {name}", file=sys.stderr, flush=True)
    return results


def replay_logs(instance: Instance) -> list[str]:
    """Print incidents found against true groups; return what was lost."""
    folder = logs.folder()
    if folder is None:
        print("\nLog replay skipped: no Loghub files (set LOGHUB_DIR to a folder with them).")
        return []
    print("\nPublic logs, every line a failure event:")
    rows: list[Sequence[str]] = [("system", "lines", "in incidents", "incidents", "true groups")]
    lost = []
    for system in logs.SYSTEMS:
        seen = logs.replay_file(folder / f"{system}.csv.gz", instance)
        figures = (seen.lines, seen.in_incidents, seen.incidents, seen.groups)
        rows.append((seen.system, *map(str, figures)))
        if seen.in_incidents != seen.lines:
            lost.append(f"{seen.system}: {seen.lines - seen.in_incidents} lines in no incident")
    show(rows)
    return lost


def main() -> int:
    parser = argparse.ArgumentParser(prog="manage.py drill")
    known = acts.all_drills()
    parser.add_argument("--only", nargs="+", default=[], choices=known, metavar="DRILL")
    only = parser.parse_args().only
    with database(), running() as instance:
        return report(instance, only)


def report(instance: Instance, only: Sequence[str]) -> int:
    """Play them, print the tables; the exit code."""
    results = play(instance, only)
    show([COLUMNS, *map(cells, results)])
    for result in results:
        if result.table:
            print()
            show(result.table)
    failures = acts.broken(results)
    if not only:
        failures += replay_logs(instance)
    for failure in failures:
        print(f"BROKEN  {failure}")
    print(f"\n{len(results)} drills, {len(failures)} broken promises")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
