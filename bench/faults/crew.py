"""The worker processes of a scene: replaced when killed, continued once another has taken over."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from bench.faults import worker
from bench.faults.target import Target
from bench.faults.worker import How, Report

AT_WORK = 3

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["bench.faults.ready"])


class Crew:
    """`seen`: how often workers fell, and what they saw. `stopped`: who waits for SIGCONT.

    `late`: keys whose sender was overtaken, with the calls the target had by then; no more may
    come.
    """

    def __init__(self, faults: Mapping[str, How], target: Target, folder: Path) -> None:
        self.faults = faults
        self.target = target
        self.folder = folder
        self.members: dict[int, tuple[BaseProcess, Connection]] = {}
        self.stopped: dict[int, Report] = {}
        self.late: dict[str, int] = {}
        self.seen: Counter[str] = Counter()

    def hire(self) -> None:
        """Fork one more worker."""
        mine, theirs = _context.Pipe(duplex=False)
        process = _context.Process(
            target=worker.run, args=(self.faults, self.folder, theirs), daemon=True
        )
        process.start()
        theirs.close()
        assert process.pid is not None
        self.members[process.pid] = (process, mine)

    def tend(self) -> None:
        """Hear what the workers say, replace who fell, wake the overtaken. Call it often."""
        for pid, (process, pipe) in list(self.members.items()):
            alive = process.is_alive()
            self._hear(pipe)
            if not alive:
                pipe.close()
                del self.members[pid]
                if process.exitcode == -signal.SIGKILL:
                    self.hire()
                elif process.exitcode != 0:
                    raise RuntimeError(f"a worker ended with code {process.exitcode}")
        for pid, report in list(self.stopped.items()):
            if _overtaken(report):
                self._wake(pid, report)

    def _wake(self, pid: int, report: Report) -> None:
        """Let it finish what it was at, and go: another has been in its place since it fell."""
        if report.point != worker.CLAIMED:
            self.late[report.action_id] = self.target.calls_with(report.action_id)
        del self.stopped[pid]
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)

    def _hear(self, pipe: Connection) -> None:
        try:
            while pipe.poll():
                report = Report(*pipe.recv())
                self.seen[report.what] += 1
                if report.what == "stop":
                    self.stopped[report.pid] = report
                    self.hire()
        except EOFError:
            return  # it was killed

    def stale_sends(self) -> int:
        """Calls made under a lost lease: seen by the sender, or by the target."""
        came = (self.target.calls_with(key) - before for key, before in self.late.items())
        return self.seen["stale send"] + sum(came)

    def dismiss(self) -> None:
        for process, pipe in self.members.values():
            process.kill()
            process.join()
            pipe.close()


def _overtaken(report: Report) -> bool:
    """Whether another worker has the action now. Claimed: planned again and claimed again."""
    from actions.models import Action

    further = 2 if report.point == worker.CLAIMED else 1
    taken = Action.objects.filter(pk=report.action_id, fence__gte=report.fence + further)
    return taken.exists()


@contextmanager
def a_crew(faults: Mapping[str, How], target: Target) -> Iterator[Crew]:
    """Workers with a marker folder of their own; killed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="awfdrs-faults-"))
    crew = Crew(faults, target, folder)
    try:
        for _ in range(AT_WORK):
            crew.hire()
        yield crew
    finally:
        crew.dismiss()
        shutil.rmtree(folder)
