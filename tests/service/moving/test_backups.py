"""Backups: what they hold is restored into either database, or refused and nothing is left."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tarfile import BLOCKSIZE, GNU_FORMAT, USTAR_FORMAT, TarInfo
from typing import Literal

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from sqlalchemy import text

from service.moving.backups import back_up, back_up_to_stream, check, restore
from service.moving.copying import Copied
from service.moving.errors import BackupError, MovingError
from service.moving.schema import schema_of
from service.moving.snapshot import snapshot
from service.storage.engine import connect, upgrade
from service.storage.tables import ClassifierRow
from tests.service.forked import ForkedHandful
from tests.service.moving.content import content_of, digests, fill, typed_rows
from tests.service.postgres import fresh_database, url
from tests.service.server import run_handful

FEW = settings(max_examples=150, deadline=None, derandomize=True)


def sqlite(path: Path) -> str:
    return f"sqlite:///{path}"


def backup_of(database: str) -> bytes:
    stream = io.BytesIO()
    back_up_to_stream(database, stream, 10, images=False)  # stores that rows name are drawn
    return stream.getvalue()


def members(backup: bytes) -> dict[str, bytes]:
    """By their names; the order is that of the file."""
    found, at = {}, 0
    while backup[at : at + 1] != b"\0":
        name = backup[at : at + 100].rstrip(b"\0").decode()
        size = int(backup[at + 124 : at + 135], 8)
        found[name] = backup[at + BLOCKSIZE : at + BLOCKSIZE + size]
        at += BLOCKSIZE + size + -size % BLOCKSIZE
    return found


def member(
    name: str, data: bytes, size: int | None = None, form: Literal[0, 1, 2] = GNU_FORMAT
) -> bytes:
    info = TarInfo(name)
    info.size, info.mode = len(data) if size is None else size, 0o600
    return info.tobuf(form) + data + bytes(-len(data) % BLOCKSIZE)


def packed(found: dict[str, bytes]) -> bytes:
    parts = [member(name, data, form=USTAR_FORMAT) for name, data in found.items()]
    return b"".join(parts) + bytes(2 * BLOCKSIZE)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = sqlite(tmp_path_factory.mktemp("filled") / "handful.db")
    fill(made, content_of(11, least=2, most=4))
    return made


@pytest.fixture(scope="module")
def backup(filled: str) -> bytes:
    return backup_of(filled)


@pytest.fixture
def server() -> Iterator[str]:
    with fresh_database() as name:
        yield url(name)


def test_a_backup_is_restored_into_either_database_and_is_the_same_of_both(
    filled: str, backup: bytes, server: str, tmp_path: Path
) -> None:
    file, target = tmp_path / "backup.tar", sqlite(tmp_path / "new.db")
    restore(io.BytesIO(backup), server, 10)
    back_up(server, file, 10, images=False)
    with file.open("rb") as opened:
        restored = restore(opened, target, 10)
    assert digests(target) == digests(server) == digests(filled)
    assert typed_rows(target) == typed_rows(filled)
    assert restored.header.database == "postgresql"
    one, other = members(backup), members(file.read_bytes())
    for documents in (one, other):
        del documents["manifest.json"], documents["handful-backup.json"]
    assert list(one.items()) == list(other.items())


def test_the_commands_write_verify_and_restore(filled: str, tmp_path: Path) -> None:
    folder, target = tmp_path / "backups", sqlite(tmp_path / "new.db")
    folder.mkdir()
    taken = run_handful("backup", "--no-images", str(folder), database_url=filled)
    assert taken.returncode == 0, taken.stderr
    [file] = folder.iterdir()
    assert file.name.startswith("handful-20")
    assert file.stat().st_mode & 0o777 == 0o600
    verified = run_handful("restore", "--check", str(file))
    assert verified.returncode == 0, verified.stderr
    assert "are whole" in verified.stdout
    done = run_handful("restore", str(file), database_url=target)
    assert done.returncode == 0, done.stderr
    assert digests(target) == digests(filled)
    again = run_handful("restore", str(file), database_url=target)
    assert again.returncode == 1
    assert "is there already, and was left as it is" in again.stderr
    output = tmp_path / "output.tar"
    written = {**os.environ, "HANDFUL_DATABASE_URL": filled}
    streamed = ForkedHandful(["backup", "--no-images", "-"], written, output, tmp_path / "errors")
    assert streamed.wait(120) == 0, (tmp_path / "errors").read_text()
    assert checked(output.read_bytes()).tables == checked(file.read_bytes()).tables


def checked(backup: bytes) -> Copied:
    return check(io.BytesIO(backup)).copied


@FEW
@given(data=st.data())
def test_a_flipped_bit_is_found_or_changes_nothing(backup: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(backup) - 1))
    changed = bytearray(backup)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = check(io.BytesIO(bytes(changed)))
    except MovingError:
        return
    assert found == check(io.BytesIO(backup))  # white space in the last document, perhaps


@FEW
@given(data=st.data())
def test_backups_cut_joined_and_overwritten_are_found(backup: bytes, data: st.DataObject) -> None:
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(backup))] * 2)))
    middle = data.draw(st.binary(max_size=600) | st.just(backup[: end - start]))
    changed = backup[:start] + middle + backup[end:]
    try:
        found = check(io.BytesIO(changed))
    except MovingError:
        return
    assert found == check(io.BytesIO(backup))


def test_hostile_files_are_refused(backup: bytes, tmp_path: Path) -> None:
    own = members(backup)
    header = json.loads(own["handful-backup.json"])
    rest = {name: data for name, data in own.items() if name != "handful-backup.json"}

    def with_header(**changed: object) -> bytes:
        return packed({"handful-backup.json": json.dumps(header | changed).encode()} | rest)

    link = TarInfo("handful-backup.json")
    link.type, link.linkname = b"2", "/etc/passwd"
    long = json.dumps(header).encode() + b" " * 2**20
    deep = b'{"format":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    tables = [one for one in header["tables"] if one["name"] != "images"]
    for file, told in {
        b"": "ends too early",
        b"PK\x03\x04" + bytes(2000): "no backup",
        bytes(4096): "no backup|none has",
        member("../../etc/passwd", b"x"): "none has",
        member("/etc/passwd", b"x"): "none has",
        member("handful-backup.json", b"", size=2**35): "no backup|none has",
        packed({"handful-backup.json": bytes(2**20 + 1)}): "more than any has",
        member("handful-backup.json", long): "another header",
        packed({"handful-backup.json": long}): "more than any has",
        packed({"handful-backup.json": deep}): "no backup",
        link.tobuf(GNU_FORMAT): "another header",
        packed({"handful-backup.json": b"[]"}): "no backup",
        packed(rest): "where handful-backup.json should be",
        with_header(version=2, handful="9.0"): r"format '2', .*wrote it \('9\.0'\)",
        with_header(revision="9999"): "does not know",
        with_header(revision="head"): "other tables|damaged|digest is another",
        with_header(revision="../x"): "revision",
        with_header(last_ids={"support": -1}): "last_ids",
        with_header(last_ids={"support": 1}): "digest is another",
        with_header(tables=tables): "other tables",
        with_header(tables=[*header["tables"], header["tables"][0]]): "other tables",
        with_header(more=1): "more",
        with_header(handful="\x1b[2J"): "handful: String",
        packed(own | {"manifest.json": b'{"tables": {}}'}): "manifest.json is damaged",
        packed({k: v for k, v in own.items() if not k.startswith("images/")}): "images .*damaged",
        packed(own | {"more/000000001": b""}): "where manifest.json should be|end where it should",
        backup + b"x": "end where it should",
    }.items():
        with pytest.raises(MovingError, match=told):
            check(io.BytesIO(file))
        with pytest.raises(MovingError):
            restore(io.BytesIO(file), sqlite(tmp_path / "new.db"), 10)
        assert not list(tmp_path.glob("new.db*[!k]"))


def test_a_damaged_backup_leaves_an_empty_database(
    backup: bytes, server: str, tmp_path: Path
) -> None:
    at = backup.index(b"support/000000001") + BLOCKSIZE + 3
    damaged = backup[:at] + bytes([backup[at] ^ 1]) + backup[at + 1 :]
    for target in (server, sqlite(tmp_path / "new.db")):
        for file in (damaged, backup[:-BLOCKSIZE], backup[: len(backup) // 2]):
            with pytest.raises(MovingError):
                restore(io.BytesIO(file), target, 10)
        restore(io.BytesIO(backup), target, 10)  # as into an empty one
    assert sorted(one.name for one in tmp_path.iterdir()) == ["new.db", "new.db.lock"]


OLD = {
    "backbones": "('f', 'lite')",
    "classifiers": "(3, 'a', 'auto', '[]', 1, 'f', '{}', :moment, :moment)",
    "images": "(5, 'x', 'image/mpo', 1, 1, 'f', :some, :some)",
    "classes": "(7, 3, 'ant', NULL, :moment)",
    "image_contents": "(5, :some)",
    "support": "(9, 'p', 7, 5, '1.png', :moment)",
}
"""Rows of the first version of each table."""


def test_a_backup_of_an_older_version_is_restored_and_brought_up_to_date(
    server: str, tmp_path: Path
) -> None:
    old = sqlite(tmp_path / "old.db")
    engine, _ = connect(old)
    values = {"moment": "2026-01-02 03:04:05.600000", "some": b"some"}
    with engine.execution_options(writes=True).begin() as connection:
        upgrade(connection, "0001")
        for name, row in OLD.items():
            connection.execute(text(f"INSERT INTO {name} VALUES {row}"), values)
    engine.dispose()
    backup = backup_of(old)
    with snapshot(old, 10) as state:
        assert state.schema.revision == "0001"  # it was left as it is
    targets = (server, sqlite(tmp_path / "new.db"))
    for target in targets:
        restored = restore(io.BytesIO(backup), target, 10)
        assert restored.header.revision == "0001"
        with snapshot(target, 10) as state:
            assert state.schema == schema_of("head")
    one, other = map(typed_rows, targets)
    assert one == other
    [image] = one["images"]
    assert image[:3] == (5, "x", "image/jpeg")  # as the migrations make of it
    [classifier] = one[ClassifierRow.__tablename__]
    assert classifier[1] == "a"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={2**19}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_told_and_nothing_is_left(disk: Path, tmp_path: Path) -> None:
    large = sqlite(tmp_path / "large.db")
    content = content_of(11, least=2, most=4)
    rows = content["image_contents"]
    content["image_contents"] = [(row[0], bytes(2**19), *row[2:]) for row in rows]
    fill(large, content)
    with pytest.raises(MovingError, match="no room on the disk for"):
        back_up(large, disk, 10, images=False)
    assert list(disk.iterdir()) == []
    with pytest.raises(MovingError, match="no room on the disk of"):
        restore(io.BytesIO(backup_of(large)), sqlite(disk / "new.db"), 10)
    assert [one.name for one in disk.iterdir()] == ["new.db.lock"]


def test_what_is_damaged_in_sqlite_is_kept_as_it_is(filled: str, tmp_path: Path) -> None:
    database = tmp_path / "handful.db"
    shutil.copy(filled.removeprefix("sqlite:///"), database)
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("UPDATE classifiers SET tuning = '{', templates = x'00', created_at = 'x'")
        opened.execute("UPDATE classifiers SET tuning_is_current = 7, coverage = 'much'")
        opened.commit()
    target = tmp_path / "new.db"
    restore(io.BytesIO(backup_of(sqlite(database))), sqlite(target), 10)
    columns = "tuning, templates, created_at, tuning_is_current, coverage, typeof(coverage)"
    with closing(sqlite3.connect(target)) as opened:
        found = set(opened.execute(f"SELECT {columns} FROM classifiers"))
    assert found == {("{", b"\0", "x", 7, "much", "text")}
    with pytest.raises(BackupError, match="ends too early"):
        check(io.BytesIO(backup_of(sqlite(target))[:-1]))
