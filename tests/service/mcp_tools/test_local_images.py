"""Files that an agent may name: images below the folders, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mcp.server.mcpserver.exceptions import ToolError

from service.mcp_tools.local_images import MOST_BYTES, LocalImages
from tests.service.pictures import picture

SECRET = "hf_secret_of_somebody"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What may be read, beside what may not."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for one in (inside / "ant", inside / "empty", outside):
        one.mkdir(parents=True)
    (inside / "ant" / "b.png").write_bytes(picture(1))
    (inside / "ant" / "a.JPG").write_bytes(picture(2, "JPEG"))
    (inside / "ant" / ".hidden.png").write_bytes(picture(3))
    (inside / "ant" / "notes.txt").write_text(SECRET)
    (outside / "o.png").write_bytes(picture(4))
    (outside / "key").write_text(SECRET)
    (inside / "key.png").write_text(SECRET)
    (inside / "P5 key.pgm").write_text(SECRET)
    (inside / "out.png").symlink_to(outside / "o.png")
    (inside / "ant" / "out.png").symlink_to(outside / "o.png")
    (inside / "in.png").symlink_to(inside / "ant" / "b.png")
    (inside / "loop.png").symlink_to(inside / "loop.png")
    (inside / "zero.png").symlink_to("/dev/zero")
    (inside / "image-without-suffix").write_bytes(picture(5))
    os.mkfifo(inside / "fifo.png")
    with (inside / "huge.png").open("wb") as huge:
        huge.write(picture(6))
        huge.truncate(MOST_BYTES + 1)
    return inside


def read(images: LocalImages, path: str) -> list[bytes]:
    return [images.read(one) for one in images.named(path)]


def test_images_are_read_by_paths_of_files_and_of_folders(folder: Path) -> None:
    images = LocalImages([folder])
    assert read(images, str(folder / "ant/b.png")) == [picture(1)]
    assert read(images, "ant/b.png") == read(images, "in.png") == [picture(1)]
    assert read(images, "ant/../ant/./b.png") == [picture(1)]
    assert read(images, "ant") == [picture(2, "JPEG"), picture(1)]
    both = LocalImages([folder / "empty", folder / "ant"])
    assert read(both, "b.png") == [picture(1)]


@pytest.mark.parametrize(
    "path",
    [
        "../outside/o.png",
        "ant/../../outside/o.png",
        "../outside",
        "../outside/key",
        "/etc/passwd",
        "/proc/self/environ",
        "~/.ssh/id_rsa",
        "file:///etc/passwd",
        "http://127.0.0.1:1/a.png",
        "no-such.png",
        "out.png",
        "zero.png",
        "loop.png",
        "fifo.png",
        "key.png",
        "P5 key.pgm",
        "ant/notes.txt",
        "ant/.hidden.png",
        "image-without-suffix",
        "empty",
        "huge.png",
        "a\0.png",
        "a" * 4000 + ".png",
        "",
        "..",
    ],
)
def test_nothing_else_is_and_nothing_of_it_is_told(folder: Path, path: str) -> None:
    with pytest.raises(ToolError) as refusal:
        read(LocalImages([folder]), path)
    assert SECRET not in str(refusal.value)
    assert "outside" not in str(refusal.value).replace(path, "")


def test_whether_a_file_elsewhere_is_there_is_not_told(folder: Path) -> None:
    images, told = LocalImages([folder]), []
    for name in ("o.png", "nothing.png"):
        path = str(folder.parent / "outside" / name)
        with pytest.raises(ToolError) as refusal:
            images.named(path)
        told.append(str(refusal.value).replace(path, ""))
    assert told[0] == told[1]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LocalImages([tmp_path / "none"])
