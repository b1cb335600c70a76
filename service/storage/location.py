"""Where a database is."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from service.storage.errors import StorageError


def parsed(database_url: str) -> URL:
    """An SQLAlchemy URL taken apart.

    Raises:
        StorageError: It is none.
    """
    try:
        return make_url(database_url)
    except (ArgumentError, ValueError) as error:
        raise StorageError(
            f"HANDFUL_DATABASE_URL is no database URL ({error}). Write sqlite:////FOLDER/FILE or "
            "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
        ) from error


def sqlite_file(database_url: str) -> Path | None:
    """The file of an SQLite database, its symbolic links followed.

    However a URL spells it (relative, through links, as SQLite's own ``file:`` URI,
    https://sqlite.org/uri.html), one file has one path here.

    Returns:
        None where there is no file: in memory, or another database.
    """
    url = parsed(database_url)
    name = url.database or ""
    if url.get_backend_name() != "sqlite" or name in ("", ":memory:"):
        return None
    if name.startswith("file:"):
        name, _, query = name.removeprefix("file:").partition("?")
        if "memory" in (*url.query.values(), *query.split("mode=")) or name == ":memory:":
            return None
        if name.startswith("//"):  # an authority, which is empty or localhost
            name = f"/{name[2:].partition('/')[2]}"
        name = unquote(name.partition("#")[0])
        if not name:
            return None
    return Path(name).resolve()


def shown(database_url: str) -> str:
    """The URL without its password."""
    return parsed(database_url).render_as_string(hide_password=True)
