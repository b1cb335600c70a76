"""The database of commands that work beside a running service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine


@contextmanager
def opened_database(data_dir: Path | None) -> Iterator[Engine]:
    """The database that the settings name, opened; errors end the command and say why."""
    from service.cli.configuration import settings_with_options
    from service.cli.failure import fail
    from service.private_files import keep_private
    from service.storage.engine import open_database

    settings = settings_with_options(data_dir=data_dir)
    keep_private(settings)
    try:
        engine = open_database(settings.sqlalchemy_url, settings.database_seconds)
        try:
            yield engine
        finally:
            engine.dispose()
    except Exception as error:
        fail(error)
