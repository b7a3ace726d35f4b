"""The running platform, started once by each process that needs it: with `-n`, by one of them."""

from collections.abc import Iterator

import pytest

from tests.live.platform import Platform

#: Tests of one kind share a platform, so one process runs them all; the other kind is for the other process.
LIVE = ("browser", "integration")
NO_CHROMIUM = "no Chromium"


def pytest_configure(config: pytest.Config) -> None:
    """Keep groups together where tests are spread over processes."""
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadgroup"


@pytest.hookimpl(tryfirst=True)  # before xdist, which looks at groups in this very hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything that needs a platform is in the group of its kind."""
    for item in items:
        kind = next((kind for kind in LIVE if item.get_closest_marker(kind)), None)
        if kind is not None:
            item.add_marker(pytest.mark.xdist_group(kind))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nobody should take a run without a browser for a run with one."""
    skipped = [report for report in terminalreporter.getreports("skipped") if NO_CHROMIUM in str(report.longrepr)]
    if skipped:
        terminalreporter.write_sep("!", "browser tests were skipped: no Chromium", red=True, bold=True)


@pytest.fixture(scope="session")
def platform_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Every process of the product, on ports of its own."""
    platform = Platform(tmp_path_factory.mktemp("platform"))
    try:
        platform.start()
        yield platform
    finally:
        platform.stop()
