"""The database of commands that work beside a running service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sqlalchemy import Engine


@contextmanager
def opened_database(data_dir: Path | None, *, makes: bool = False) -> Iterator[Engine]:
    """The database that the settings name, opened; errors end the command and say why.

    Args:
        data_dir: Its folder; None: as the settings have it.
        makes: Whether it is made where there is none, which is said; else that ends the command.
    """
    from service.cli.configuration import settings_with_options
    from service.cli.failure import fail
    from service.private_files import keep_private
    from service.storage.engine import open_database
    from service.storage.errors import StorageError
    from service.storage.location import sqlite_file

    settings = settings_with_options(data_dir=data_dir)
    file = sqlite_file(settings.sqlalchemy_url)
    if file is not None and not file.exists():
        if not makes:
            fail(StorageError(f"there is no database {file}; look at --data-dir, HANDFUL_DATA_DIR"))
        typer.echo(f"makes a new database: {file}", err=True)
    keep_private(settings)
    try:
        engine = open_database(settings.sqlalchemy_url, settings.database_seconds, settings)
        try:
            yield engine
        finally:
            engine.dispose()
    except Exception as error:
        fail(error)
