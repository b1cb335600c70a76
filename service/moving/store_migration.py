"""``handful migrate-store``: a database to another one, while nobody may change it."""

from __future__ import annotations

from service.moving.copying import Copied, copy_tables
from service.moving.errors import MovingError
from service.moving.new_database import new_database
from service.moving.snapshot import snapshot
from service.storage.location import parsed, sqlite_file


def migrate_store(source: str, target: str, seconds: float) -> Copied:
    """Copy all tables of a database into an empty one, and compare them there.

    The source stays as it is. The new tables are of its revision, and are brought up to date by
    the service that starts on them.

    Args:
        source: URL of the database.
        target: URL of the empty one.
        seconds: Longest wait for a lock or a connection.

    Raises:
        MovingError: It cannot be; the target is as empty as it was.
        InUse: A service has one of them.
    """
    file = sqlite_file(source)
    if parsed(source) == parsed(target) or (file is not None and file == sqlite_file(target)):
        raise MovingError("source and target are the same database")
    with (
        snapshot(source, seconds, halts=True) as state,
        new_database(target, state.schema, seconds) as tables,
    ):
        return copy_tables(state, tables)
