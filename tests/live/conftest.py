from __future__ import annotations

from collections.abc import Iterator

import pytest

from awfdrs_site.live.hub import Hub
from tests.cast import Cast, cast, committed_cast, default_rules, quick_passwords
from tests.live.screens import Screens, screens_of
from tests.live.screens import hub as a_hub

__all__ = ["Cast", "cast", "committed_cast", "default_rules", "quick_passwords"]


@pytest.fixture(scope="session")
def hub() -> Hub:
    """One for the session, as a process has: its thread never ends."""
    return a_hub()


@pytest.fixture
def screens(hub: Hub, committed_cast: Cast) -> Iterator[Screens]:
    """Open pages on a hub that hears."""
    with screens_of(hub, committed_cast) as screens:
        yield screens
