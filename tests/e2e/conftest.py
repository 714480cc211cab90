"""One site, one browser for all browser tests; a tenant of its own for each that needs one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e import stagehand as stage
from tests.e2e.site import Site, running
from tests.e2e.stagehand import Stagehand
from tests.e2e.visit import Visit, visiting
from tests.e2e.world import World, a_world
from tests.ui.browser import CHROMIUM, chromium, serve
from tests.ui.preview import write

# A bound for what never happens, not a promise: loaded machines are slow.
PATIENCE_MS = 30_000

SignIn = Callable[..., Visit]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, for the whole session: one at a time in a process."""
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The previewed pages, served under the strict policy."""
    folder = tmp_path_factory.mktemp("preview")
    write(folder)
    with serve(folder) as url:
        yield url


@pytest.fixture(scope="session")
def site(browser: Browser) -> Iterator[Site]:
    """The real thing: web, worker and beat on servers of their own."""
    with running() as site:
        yield site


@pytest.fixture(scope="session")
def stagehand(site: Site) -> Iterator[Stagehand]:
    """Who writes tenants and people."""
    with stage.at_work(site.environ) as hand:
        yield hand


@pytest.fixture
def make_world(site: Site, stagehand: Stagehand) -> Iterator[Callable[[], World]]:
    """Make one more tenant, with people and an engine."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(a_world(site, stagehand))


@pytest.fixture
def world(make_world: Callable[[], World]) -> World:
    """A tenant of the test's own."""
    return make_world()


@pytest.fixture
def sign_in(browser: Browser, stagehand: Stagehand, world: World) -> Iterator[SignIn]:
    """Open a browser in which that person of the world's tenant is signed in."""
    with ExitStack() as stack:

        def sign_in(name: str, url: str = "", **options: object) -> Visit:
            cookie = stagehand("sign_in", username=world.people[name])
            context: AbstractContextManager[Visit] = visiting(
                browser, url or world.site.url, cookie, **options
            )
            return stack.enter_context(context)

        yield sign_in


@pytest.fixture
def alice(sign_in: SignIn) -> Visit:
    """The browser of a responder."""
    return sign_in("alice")
