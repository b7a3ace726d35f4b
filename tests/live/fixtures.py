"""The running platform, started once by each process that needs it: with `-n`, by one for each folder of live tests."""

from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.live.platform import Platform

#: Tests of one of these folders share a platform, so one process runs them all.
LIVE = ("tests/browser/", "tests/integration/")
#: Starts everything that it needs by itself, and may go to whoever has time.
ALONE = "tests/integration/test_outage_bench.py"
NO_CHROMIUM = "no Chromium"


class LiveTogether(LoadScopeScheduling):
    """Live tests begin first and stay together, everything else goes to whoever has time."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(ALONE):
            return nodeid
        return next((folder for folder in LIVE if nodeid.startswith(folder)), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LiveTogether:
    """Instead of `--dist`: that of xdist 3.8 goes by groups in names, which pytest 9 does not let it change."""
    return LiveTogether(config, log)


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
