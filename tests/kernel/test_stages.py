"""The worker's threads are shared by all stages: none may take them all."""

from __future__ import annotations

import threading

import pytest

from awfdrs_site import stages
from tests.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("stage", ["send", "detect"])
def test_a_stage_that_takes_long_leaves_threads_for_the_others(
    monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Four threads look at one stage, which hangs: two of them come back at once."""
    back, over = threading.Semaphore(0), threading.Event()

    def hang() -> int:
        assert over.wait(20)
        return 1

    monkeypatch.setitem(stages.STAGES, stage, hang)
    monkeypatch.setattr(stages, "worker_beat", lambda: None)

    def act(number: int) -> int:
        if number == 4:
            free = back.acquire(timeout=10) and back.acquire(timeout=10)
            over.set()
            return int(free)
        done = stages.run(stage)
        back.release()
        return done

    *done, free = at_once(5, act)
    assert (sorted(done, key=str), free) == ([0, 0, 1, 1], 1)
    assert stages.run(stage) == 1
