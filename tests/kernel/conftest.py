from __future__ import annotations

import pytest

from awfdrs_site.kernel.redis_client import redis_client
from tests.cast import cast, committed_cast, default_rules, quick_passwords

__all__ = ["cast", "committed_cast", "default_rules", "quick_passwords"]


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    """Rate windows of one test are not another's."""
    redis_client().flushdb()
