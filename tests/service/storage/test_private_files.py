"""What the service writes is for its own user, whatever umask it was started with."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest

from service.private_files import keep_private
from service.settings import Settings
from tests.service.client import Classifier
from tests.service.pictures import picture
from tests.service.server import Server


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.long
def test_everything_in_a_data_folder_is_private_even_without_a_umask(
    tmp_path: Path, vit: str
) -> None:
    data = tmp_path / "data"
    cache = tmp_path / "cache"
    umask = os.umask(0)
    try:
        with (
            Server.ready(
                tmp_path / "run",
                database_url=f"sqlite:///{data}/handful.db",
                backbone=vit,
                cache_dir=cache,
            ) as server,
            server.client() as http,
        ):
            classifier = Classifier(http, "a")
            classifier.put().raise_for_status()
            classifier.post("ant", picture(1)).raise_for_status()
            written = [path for folder in (data, cache) for path in [folder, *folder.rglob("*")]]
    finally:
        os.umask(umask)
    names = {path.name for path in written}
    assert {"handful.db", "handful.db-wal", "handful.db-shm", "handful.db.lock"} <= names
    assert len(names) > 6  # and a compiled image tower
    for path in written:
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


@pytest.fixture
def umask_kept() -> object:
    umask = os.umask(0o022)
    os.umask(umask)
    yield
    os.umask(umask)


@pytest.mark.usefixtures("umask_kept")
@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "told"),
    [(0o755, 0o644, True), (0o777, 0o600, True), (0o755, 0o600, False), (0o770, 0o666, False)],
)
def test_a_folder_that_is_open_to_others_stays_as_it_is_and_is_told_of(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    folder_mode: int,
    file_mode: int,
    told: bool,
) -> None:
    (tmp_path / "handful.db").touch()
    (tmp_path / "handful.db").chmod(file_mode)
    tmp_path.chmod(folder_mode)
    with caplog.at_level(logging.WARNING):
        keep_private(Settings(data_dir=tmp_path))
    assert mode(tmp_path) == folder_mode
    assert mode(tmp_path / "handful.db") == file_mode
    assert (f"chmod 700 {tmp_path}" in caplog.text) == told
