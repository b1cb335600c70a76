"""A file is written whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.whole_files import written_whole

_CHILD = """
import sys
from pathlib import Path
from adapters.whole_files import written_whole
with written_whole(Path(sys.argv[1])) as part:
    part.write_text("child")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "kept.json"
    path.write_text("old")
    return path


def left(path: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in path.parent.iterdir()}


def test_the_file_takes_the_place_of_the_old_one_when_it_is_whole(path: Path) -> None:
    with written_whole(path) as part:
        part.write_text("ne")
        assert path.read_text() == "old"
        part.write_text("new")
    assert left(path) == {"kept.json": "new"}


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_one_and_nothing_beside_it(
    path: Path, error: BaseException
) -> None:
    def write_half() -> None:
        with written_whole(path) as part:
            part.write_text("ne")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert left(path) == {"kept.json": "old"}


def test_what_cannot_be_put_there_is_not_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError), written_whole(tmp_path / "folder") as part:  # noqa: PT011
        part.write_text("new")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_two_processes_do_not_write_to_the_same_part(path: Path) -> None:
    with written_whole(path) as part:
        part.write_text("parent")
        subprocess.run([sys.executable, "-c", _CHILD, path], check=True)
        assert path.read_text() == "child"
    assert left(path) == {"kept.json": "parent"}
