"""G1: one event a request, durable before its 201, against one-row commits into the same table."""

from __future__ import annotations

from bench.instance import running
from bench.load import Figures, inserter, poster, run

CLIENTS = 32
ROUNDS = 3
POSTS_EACH = 25
INSERTS_EACH = 200


def measure() -> list[tuple[Figures, Figures]]:
    """Three rounds of (ours, reference), one after the other on the same instance."""
    with running() as instance:
        run(CLIENTS, 3, poster(instance, event_type="bench.info"))
        rounds = []
        for _ in range(ROUNDS):
            ours = run(CLIENTS, POSTS_EACH, poster(instance, event_type="bench.info"))
            rounds.append((ours, run(CLIENTS, INSERTS_EACH, inserter(instance))))
        return rounds
