"""What all tests share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compiled models are kept for the session, and not taken from an earlier one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say in the last lines what was not run because no browser is there, and how to run it."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    needing: Counter[str] = Counter()
    for report in reporter.stats.get("skipped", ()):
        if "chromium" in str(report.longrepr).lower():
            needing[report.nodeid.partition("::")[0]] += 1
    if needing:
        files = " ".join(needing)
        reporter.write_line(
            f"{needing.total()} tests of pages were NOT run, for want of a browser. Install "
            f"Chromium (apt-get install chromium), then: .venv/bin/pytest {files}",
            yellow=True,
        )
