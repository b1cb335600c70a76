"""An SQLite database, looked at without changing it, also while a service has it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter
from urllib.parse import quote

from service.checkup.finding import Finding, ok, problem, warning

# Larger ones are not read from end to end.
_CHECKED = 256 * 2**20
_SECONDS = 2.0


def look_at_sqlite(file: Path, revision: Callable[[str | None], Finding]) -> Iterator[Finding]:
    """Look at a database file.

    Args:
        file: Where it is.
        revision: Says what a revision of its tables means.
    """
    if not file.exists():
        yield ok(f"there is no {file} yet; handful serve makes it")
        return
    log = file.with_name(f"{file.name}-wal")
    waiting = log.stat().st_size if log.exists() else 0
    yield ok(
        f"SQLite {sqlite3.sqlite_version}, {file}, {file.stat().st_size} bytes,"
        f" {waiting} bytes in its log"
    )
    if (links := file.stat().st_nlink) > 1:
        yield problem(f"{file} has {links} names (hard links)", "remove the other names")
    yield _holder(Path(f"{file}.lock"))
    # Without a log nobody has it open, and it is read as from a read-only disk: nothing is made.
    mode = "ro" if log.exists() else "ro&immutable=1"
    address = f"file:{quote(str(file))}?mode={mode}"
    begun = perf_counter()
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=_SECONDS)) as connection:
            tables = {
                name
                for (name,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                )
            }
            row = None
            if "alembic_version" in tables:
                row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            elif tables:
                some = ", ".join(sorted(tables)[:5])
                yield problem(
                    f"{file} is another program's: it has the tables {some}",
                    "use another --data-dir or HANDFUL_DATABASE_URL",
                )
                return
            yield ok(f"read in {1000 * (perf_counter() - begun):.1f} ms")
            yield revision(None if row is None else str(row[0]))
            if file.stat().st_size <= _CHECKED:
                [(said,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
                if said != "ok":
                    yield problem(f"{file} is damaged: {said}", "restore it from a backup")
                else:
                    yield ok("its pages are sound (PRAGMA quick_check)")
    except sqlite3.Error as error:
        kind = getattr(error, "sqlite_errorname", "")
        mend = "stop the service and restore it from a backup"
        if kind.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            mend = "end the program that holds it locked: a backup, or an open transaction"
        elif kind.startswith(("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_READONLY")):
            mend = "make it, and its folder, readable and writable for this user"
        yield problem(f"{file} cannot be read: {error}", mend)


def _holder(lock: Path) -> Finding:
    """Which service has the database to itself, as the kernel tells: no lock is tried."""
    try:
        of = lock.stat()
        table = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return ok("no service has it to itself")
    name = f"{os.major(of.st_dev):02x}:{os.minor(of.st_dev):02x}:{of.st_ino}"
    for line in table:
        fields = line.split()
        if len(fields) > 5 and fields[1] in ("FLOCK", "POSIX", "OFDLCK") and fields[5] == name:
            who = f"process {fields[4]} ({_name(fields[4])})"
            return warning(
                f"{who} has it to itself", "handful serve cannot start beside it on this database"
            )
    return ok("no service has it to itself")


def _name(process: str) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return "of another container"
