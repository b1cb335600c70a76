"""Databases for tests, of both kinds: SQLite in a folder, PostgreSQL on the tests' own server.

One that is up to date is a copy of one that was migrated once: migrations take longer than most
tests of what is stored.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from service.storage.engine import open_database
from tests.service import postgres
from tests.service.clusters import shared

KINDS = ("sqlite", "postgresql")
# For tests of what is SQLite's own, or PostgreSQL's, where others run on both.
only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
_TEMPLATE = "handful_template"


@contextmanager
def empty_database(kind: str) -> Iterator[str]:
    """The URL of a database without tables."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="handful-database-") as folder:
            yield f"sqlite:///{folder}/handful.db"
    else:
        with postgres.fresh_database() as name:
            yield postgres.url(name)


@contextmanager
def new_database(kind: str) -> Iterator[str]:
    """The URL of a database that is up to date and holds nothing."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="handful-database-") as folder:
            file = Path(folder) / "handful.db"
            file.write_bytes(_sqlite_template())
            yield f"sqlite:///{file}"
    else:
        _make_postgresql_template()
        with postgres.fresh_database(template=_TEMPLATE) as name:
            yield postgres.url(name)


@functools.cache
def _sqlite_template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "handful.db"
        open_database(f"sqlite:///{file}").dispose()  # the last connection empties the log
        return file.read_bytes()


@functools.cache
def _make_postgresql_template() -> None:
    with FileLock(f"{shared().folder}.template.lock"), postgres.administrator() as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s AND datistemplate", [_TEMPLATE]
        )
        if found.fetchone() is None:
            connection.execute(f"CREATE DATABASE {_TEMPLATE}")
            open_database(postgres.url(_TEMPLATE)).dispose()
            connection.execute(f"ALTER DATABASE {_TEMPLATE} WITH is_template true")
