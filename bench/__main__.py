"""`python -m bench [G1 G3 G5 G6 G8]`: prints one table of ratios and writes bench/results.md.

Each row compares us with a reference measured in the same minutes, both sides in turn, three
rounds, the median ratio. Absolute figures are for the eye only: these machines are noisy.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import median

from bench import burst, fanout, pages, single, start
from bench.instance import PROJECT, database


@dataclass(frozen=True)
class Row:
    """One line of the table; ratios are ours over the reference."""

    id: str
    work: str
    ours: str
    reference: str
    ratio: float
    goal: str


def measure_single() -> list[Row]:
    rounds = single.measure()
    rates = [ours.per_second / theirs.per_second for ours, theirs in rounds]
    tails = [ours.p99_seconds / theirs.p99_seconds for ours, theirs in rounds]
    return [
        Row(
            "G1",
            f"single durable POST, {single.CLIENTS} clients: events/s",
            f"{median(o.per_second for o, _ in rounds):.0f}/s",
            f"{median(t.per_second for _, t in rounds):.0f}/s one-row commits",
            median(rates),
            "baseline (later ≥ 0.5)",
        ),
        Row(
            "G1",
            "the same: p99 of a POST against p99 of a commit",
            f"{median(o.p99_seconds for o, _ in rounds) * 1000:.0f} ms",
            f"{median(t.p99_seconds for _, t in rounds) * 1000:.0f} ms",
            median(tails),
            "baseline (later ≤ 3)",
        ),
    ]


def measure_burst() -> list[Row]:
    rounds = burst.measure()
    return [
        Row(
            "G3",
            f"burst of {burst.EVENTS}: last 201 → all in incidents, against one durable insert",
            f"{median(lag for lag, _ in rounds):.3f} s",
            f"{median(insert for _, insert in rounds) * 1000:.2f} ms",
            median(lag / insert for lag, insert in rounds),
            "baseline",
        )
    ]


def measure_fanout() -> list[Row]:
    bursts, singles, storms = fanout.measure()
    loads = ((f"{fanout.BURST} changes at once", bursts), ("one change at a time", singles))
    rows = [
        Row(
            "G6",
            f"{fanout.BURST} changes at once on {fanout.PAGES} open pages: deliveries/s",
            f"{median(ours.per_second for ours, _ in bursts):.0f}/s",
            f"{median(bare.per_second for _, bare in bursts):.0f}/s by bare Channels",
            median(ours.per_second / bare.per_second for ours, bare in bursts),
            "≥ 5",
        )
    ]
    rows += [
        Row(
            "G6",
            f"{load} on {fanout.PAGES} pages: p99 of a delivery",
            f"{median(ours.at(0.99) for ours, _ in rounds) * 1000:.0f} ms",
            f"{median(bare.at(0.99) for _, bare in rounds) * 1000:.0f} ms by bare Channels",
            median(ours.at(0.99) / bare.at(0.99) for ours, bare in rounds),
            "≤ 0.25",
        )
        for load, rounds in loads
    ]
    rows += [
        Row(
            "G6",
            f"{load} on {fanout.PAGES} pages: the server's CPU for a change",
            f"{median(ours.cpu_seconds for ours, _ in rounds) * 1000:.1f} ms",
            f"{median(bare.cpu_seconds for _, bare in rounds) * 1000:.1f} ms by bare Channels",
            median(ours.cpu_seconds / bare.cpu_seconds for ours, bare in rounds),
            "—",
        )
        for load, rounds in loads
    ]
    slowest = median(storm.at(1.0) for storm in storms)
    storm = Row(
        "G6",
        f"50 commits/s to one row, {fanout.PAGES} pages: the slowest from commit to page",
        f"{slowest * 1000:.0f} ms (half in {median(s.at(0.5) for s in storms) * 1000:.0f} ms)",
        "500 ms promised",
        slowest / 0.5,
        "≤ 1",
    )
    return [*rows, storm]


def measure_start() -> list[Row]:
    rounds = start.measure()
    return [
        Row(
            "G8",
            "web process start → first 201, against a bare Django + DRF app",
            f"{median(ours for ours, _ in rounds):.2f} s",
            f"{median(bare for _, bare in rounds):.2f} s",
            median(ours / bare for ours, bare in rounds),
            "baseline (later ≤ 1.5)",
        )
    ]


def measure_pages() -> list[Row]:
    found = pages.measure()
    sizes = f"{pages.sizes()[0]:,} → {pages.sizes()[-1]:,} events"
    return [
        Row(
            "G5",
            f"`{path}`, {sizes}: {row[-1].queries} queries, blocks and their time",
            f"{row[-1].buffers} · {row[-1].seconds * 1000:.1f} ms",
            f"{row[0].buffers} · {row[0].seconds * 1000:.1f} ms",
            row[-1].buffers / row[0].buffers,
            "≤ 1.5 (blocks)",
        )
        for path, row in found.items()
    ]


MEASURES: dict[str, Callable[[], list[Row]]] = {
    "G1": measure_single,
    "G3": measure_burst,
    "G5": measure_pages,
    "G6": measure_fanout,
    "G8": measure_start,
}


def as_table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| # | work | ours | reference | ratio | goal |", "|---|---|---|---|---|---|"]
    for row in rows:
        cells = (row.id, row.work, row.ours, row.reference, f"{row.ratio:.2f}", row.goal)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def heading() -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    versions = ", ".join(f"{name} {version(name)}" for name in ("django", "daphne", "celery"))
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    return f"{date}, commit {commit or 'unknown'}, Python {platform.python_version()}, {versions}"


def main(wanted: list[str]) -> int:
    unknown = set(wanted) - set(MEASURES)
    if unknown:
        print(f"bench: no such measure: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    with database():
        for name in wanted or MEASURES:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            rows += MEASURES[name]()
    table = as_table(rows)
    print(table)
    if not wanted:
        text = f"# Bench results\n\n{heading()}. Ratios, medians of three interleaved rounds.\n\n"
        (PROJECT / "bench" / "results.md").write_text(f"{text}{table}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
