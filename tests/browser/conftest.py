"""Debian's Chromium before the running platform. Nothing that a page complains of goes unnoticed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Browser, Playwright, sync_playwright

from kameng.embedded import paths
from tests.browser.visits import Visits
from tests.live.fixtures import NO_CHROMIUM
from tests.live.platform import Platform

#: The first is the second without its windows: the same engine, for half the work.
PROGRAMS = ("chromium-headless-shell", "chromium")
#: As root there is no sandbox; Chromium's own calls home have no business here.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip


# The scope is no wider than these tests: as long as Playwright runs, Django takes this thread for an asynchronous one.
@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """One browser for all tests, a fresh profile for each visit."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(NO_CHROMIUM)
    browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
    yield browser
    browser.close()


@pytest.fixture
def platform(platform_process: Platform) -> Iterator[Platform]:
    """Everything running and well; what earlier visitors did counts for no limit."""
    redis.Redis.from_url(platform_process.valkey.url).flushall()
    platform_process.forget_unpaid()
    yield platform_process
    platform_process.make_well()


@pytest.fixture
def visits(chromium: Browser, platform: Platform) -> Iterator[Visits]:
    """Opens visits; none of them may have had an error, or asked anybody but us."""
    opened = Visits(chromium, platform)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures for people are kept."""
    folder = paths.ROOT / "var" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
