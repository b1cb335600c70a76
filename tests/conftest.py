"""What all tests share."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.service.clusters import own_by_this_process

# Each worker compiles by itself: a pool of compilers is slow to start, and for one small model.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
# Folders of tests that train in processes of their own, or that start, end and kill services.
_LONGEST = {"training", "serving", "storage"}
# What tests are skipped without: the word in their reason, and Debian's package.
_WANTED = {
    "a browser": ("chromium", "chromium"),
    "PostgreSQL": ("no postgresql", "postgresql"),
    "PgBouncer": ("no pgbouncer", "pgbouncer"),
}


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[None]:
    """Compiled models are kept for the session and all its workers, and none taken from before.

    They compute in float32.
    """
    base = tmp_path_factory.getbasetemp()
    cache = (base if worker_id == "master" else base.parent) / "cache"
    cache.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        # What is computed is the same on every processor; tests of precisions ask for others.
        patch.setenv("HANDFUL_PRECISION", "float32")
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files with the longest tests first, so that no worker is left with one at the end."""
    items.sort(key=lambda item: _LONGEST.isdisjoint(item.path.parts))


def pytest_collection_finish() -> None:
    """Take what is imported, some million objects, out of each collection of garbage."""
    gc.collect()
    gc.freeze()


def pytest_configure() -> None:
    """Servers that tests start for themselves end with this process, not with a worker of it."""
    own_by_this_process()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say in the last lines what was not run for want of something, and how to run it."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    for what, (sign, package) in _WANTED.items():
        needing: Counter[str] = Counter()
        for report in reporter.stats.get("skipped", ()):
            if sign in str(report.longrepr).lower():
                needing[report.nodeid.partition("::")[0]] += 1
        if needing:
            files = " ".join(needing)
            reporter.write_line(
                f"{needing.total()} tests were NOT run, for want of {what}. Install it (apt-get"
                f" install {package}), then: .venv/bin/pytest {files}",
                yellow=True,
            )
