"""A fake AWFDRS, an engine that reports to it, and a client that retries."""

from collections.abc import Iterator

import pytest

from simulator.engine import Engine, ScenarioRun
from tests.simulator.fake_awfdrs import KEY, FakeAwfdrs
from tests.simulator.retry_client import RetryClient


@pytest.fixture
def awfdrs() -> Iterator[FakeAwfdrs]:
    """A fake AWFDRS; the test fails when it was sent anything the contract forbids."""
    fake = FakeAwfdrs()
    yield fake
    fake.stop()
    assert fake.errors == []


@pytest.fixture
def engine(awfdrs: FakeAwfdrs) -> Iterator[Engine]:
    """An engine without traffic of its own, whose re-runs take no time."""
    with Engine(awfdrs.url, KEY, seed=7, delay_seconds=0.0) as engine:
        yield engine


@pytest.fixture
def client(engine: Engine) -> Iterator[RetryClient]:
    client = RetryClient(engine)
    yield client
    client.http.close()


@pytest.fixture
def run(engine: Engine) -> ScenarioRun:
    """Two payments that failed and succeed at the first retry."""
    return engine.run_scenario("payment-timeout", items=2, recovers_after=1)
