"""Disks: room, kind of file system, whether files can be made."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from service.checkup.finding import Finding, ok, problem, warning
from service.settings import Settings
from service.storage.location import sqlite_file

# Below these shares or bytes somebody should know; a change needs some room beside what it stores.
_SCARCE, _LEAST = 0.05, 256 * 2**20
# File systems whose locks SQLite cannot trust (https://sqlite.org/howtocorrupt.html).
_SHARED = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "glusterfs", "ceph")


def look_at_disk(settings: Settings) -> Iterator[Finding]:
    """Look at the folders that a service writes."""
    database = sqlite_file(settings.sqlalchemy_url)
    folders = {"data folder": settings.data_dir.resolve(), "cache": settings.cache_dir.resolve()}
    if database is not None:
        folders["folder of the database"] = database.parent
    folders["temporary files"] = Path(tempfile.gettempdir())
    seen: set[Path] = set()
    for what, folder in folders.items():
        if folder not in seen:
            seen.add(folder)
            sqlite = database is not None and what != "cache"
            yield from look_at_folder(what, folder, sqlite=sqlite)


def look_at_folder(what: str, folder: Path, *, sqlite: bool = False) -> Iterator[Finding]:
    """Look at one folder.

    Args:
        what: What it is to the service.
        folder: Where it is, or would be made.
        sqlite: Files of SQLite may lie in it, whose locks not every file system keeps.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    kind = file_system(there)
    of = os.statvfs(there)
    free, total = of.f_bavail * of.f_frsize, of.f_blocks * of.f_frsize
    told = f"{what} {folder} ({kind}): {_size(free)} of {_size(total)} free"
    if there != folder:
        told += "; not there yet"
    if not there.is_dir():
        yield problem(f"{what}: {there} is no folder", "move it away, or name another folder")
        return
    read_only = of.f_flag & os.ST_RDONLY
    if read_only or not os.access(there, os.W_OK | os.X_OK):
        yield problem(f"{told}; cannot be written", f"make {there} writable for this user")
    elif total and (free < _LEAST or free < _SCARCE * total):
        yield warning(told, "free some room: changes are refused with 507 where there is none")
    else:
        yield ok(told)
    if of.f_files and of.f_favail < max(1000, _SCARCE * of.f_files):
        yield warning(
            f"{what}: {of.f_favail} of {of.f_files} inodes free", "remove files that nobody needs"
        )
    if sqlite and what != "temporary files" and kind.startswith(_SHARED):
        yield warning(
            f"{what} is on {kind}, whose locks SQLite cannot trust",
            "use a disk of this machine, or PostgreSQL (HANDFUL_DATABASE_URL)",
        )
    if there == folder and what == "folder of the database":
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & stat.S_IWOTH:
            yield warning(f"every user can write to {folder}", f"chmod 700 {folder}")


def file_system(path: Path) -> str:
    """The type of the file system that a path is on; ``unknown`` where nobody tells."""
    found, length = "unknown", -1
    try:
        mounts = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return found
    for line in mounts:
        _, place, kind, *_ = line.split(" ")
        place = place.replace("\\040", " ")
        if path.is_relative_to(place) and len(place) >= length:
            found, length = kind, len(place)
    return found


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
