"""Whether a database is one of Handful, of whatever version."""

from __future__ import annotations

from collections.abc import Collection

from service.storage.errors import StorageError

# Those of the first version. Later ones may add to them.
_FIRST = {"backbones", "classifiers", "images", "classes", "image_contents", "support"}
_VERSION = "alembic_version"


def check_ours(
    name: str, tables: Collection[str], revision: str | None, *, shared: bool = False
) -> None:
    """See that a database is empty or was written by Handful.

    Args:
        name: What it is called in messages.
        tables: Names of its tables.
        revision: What Alembic says it is at, where it has that table.
        shared: Whether tables of others beside those of Handful are ordinary: in a server.

    Raises:
        StorageError: It belongs to another program, which is named by its tables.
    """
    found = set(tables)
    if not found or (_VERSION in found and found >= _FIRST):
        return
    if found == {_VERSION}:  # emptied, or of a version that had other tables
        return
    if shared and not found & (_FIRST | {_VERSION}):
        return
    others = sorted(found - {_VERSION})
    raise StorageError(
        f"{name} belongs to another program, and was left as it is: it has the tables "
        f"{', '.join(others[:5])}{' and more' if len(others) > 5 else ''}"
        + (f" at revision {revision}" if revision else "")
        + ". Use another --data-dir or HANDFUL_DATABASE_URL"
    )
