"""Training data: folders, tables and Open Images."""

from __future__ import annotations

import csv
import textwrap
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from adapters.training.training_errors import DataError
from service.training.labelled_reader import read_labelled
from service.training.training_images import TrainingImages
from tests.coloured import COLOURS, write_coloured


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coloured(tmp_path_factory.mktemp("coloured"), 6)


def write_csv(path: Path, *rows: tuple[object, ...]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)
    return path


def pairs(data: TrainingImages) -> list[tuple[str, str]]:
    return [
        (path.name, data.classes[label])
        for path, label in zip(data.paths, data.labels, strict=True)
    ]


def test_a_folder_of_classes_is_read_in_order(coloured: Path) -> None:
    data = read_labelled(coloured)
    assert data.classes == tuple(COLOURS)
    assert len(data) == 18
    assert all(
        path.parent.name == data.classes[label]
        for path, label in zip(data.paths, data.labels, strict=True)
    )
    assert read_labelled(coloured) == data


def test_folders_of_splits_are_read_as_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("train/cat/1.jpg", "train/dog/1.JPG", "val/cat/2.png", "val/.net/3.png"):
        image(tmp_path / name)
    (tmp_path / "train/cat/notes.txt").write_text("no image")
    (tmp_path / "train/cat/.hidden.jpg").write_text("no image")
    (tmp_path / "val/elk").symlink_to(tmp_path / "train/dog")
    (tmp_path / "val/cat/around").symlink_to(tmp_path)
    data = read_labelled(tmp_path)
    assert sorted(pairs(data)) == [
        ("1.JPG", "dog"), ("1.JPG", "elk"), ("1.jpg", "cat"), ("2.png", "cat"), ("3.png", ".net"),
    ]  # fmt: skip
    assert "2 files are skipped" in caplog.text
    assert "notes.txt" in caplog.text


def test_folders_that_do_not_tell_the_classes_are_refused_unless_labels_do_not_matter(
    tmp_path: Path,
) -> None:
    for name in ("first/cat/1.jpg", "first/dog/1.jpg", "second/cat/2.png"):
        image(tmp_path / name)
    with pytest.raises(DataError, match="'first', 'second', or 'cat', 'dog'"):
        read_labelled(tmp_path)
    assert len(read_labelled(tmp_path, labels_needed=False)) == 3


def test_a_flat_folder_is_one_class_of_its_name(tmp_path: Path) -> None:
    image(tmp_path / "photos" / "1.jpg")
    data = read_labelled(tmp_path / "photos")
    assert (data.name, data.classes) == ("photos", ("photos",))


def test_images_a_class_are_drawn_by_the_seed(coloured: Path) -> None:
    drawn = [read_labelled(coloured, per_class=3, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(set(Counter(data.labels).values()) == {3} for data in drawn)
    assert len(read_labelled(coloured, per_class=100)) == 18


def test_a_table_of_paths_and_labels(tmp_path: Path) -> None:
    image(tmp_path / "images" / "a, b.jpg")
    image(tmp_path / "images" / "c.jpg")
    elsewhere = image(tmp_path / "elsewhere.jpg")
    table = write_csv(
        tmp_path / "table.csv",
        ("Label", "width", "Path"),
        ("cat", 3, "a, b.jpg"), ("dog", 3, "c.jpg"), ("dog", 3, elsewhere), (),
    )  # fmt: skip
    data = read_labelled(table, tmp_path / "images")
    assert pairs(data) == [("a, b.jpg", "cat"), ("c.jpg", "dog"), ("elsewhere.jpg", "dog")]
    table.write_text("\ufeffpath\nimages/c.jpg\n", "utf-8")
    assert pairs(read_labelled(table)) == [("c.jpg", "unlabelled")]


@pytest.mark.parametrize("layout", ["{}.jpg", "{:.2}/{}.jpg", "{:.3}/{}.jpg", "{:.1}/{}.jpg"])
def test_open_images_labels_and_layouts(tmp_path: Path, layout: str) -> None:
    ids = ("0001eeaf4aed83f9", "fe600639ac5f36c1", "e0d1ba3a3d1c1b0d")
    for name in ids:
        image(tmp_path / "images" / layout.format(name, name))
    table = write_csv(
        tmp_path / "labels.csv",
        ("ImageID", "Source", "LabelName", "Confidence"),
        (ids[0], "verification", "/m/0cmf2", 1),
        (ids[0], "verification", "/m/01g317", 1),
        (ids[1], "crowdsource-verification", "/m/0cmf2", 1),
        (ids[1], "verification", "/m/0cmf2", 1),
        (ids[2], "verification", "/m/01g317", 0),
        (ids[2], "verification", "/m/07j7r", 0),
        (ids[2], "verification", "/m/01g317", 1),
    )
    data = read_labelled(table, tmp_path / "images")
    assert pairs(data) == [
        (f"{ids[0]}.jpg", "/m/01g317"), (f"{ids[2]}.jpg", "/m/01g317"),
        (f"{ids[0]}.jpg", "/m/0cmf2"), (f"{ids[1]}.jpg", "/m/0cmf2"),
    ]  # fmt: skip
    assert Counter(read_labelled(table, tmp_path / "images", per_class=1).labels) == {0: 1, 1: 1}


def test_documented_open_images_script_draws_images_that_the_reader_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/training.md draws only images that can be downloaded, and the reader takes them all."""
    text = (Path(__file__).parents[3] / "docs" / "training.md").read_text("utf-8")
    script = textwrap.dedent(text.split("```python\n")[1].split("```")[0])
    ids = [f"{number:016x}" for number in range(300)]
    write_csv(
        tmp_path / "train-images-boxable-with-rotation.csv",
        ("ImageID", "Subset", "OriginalURL"),
        *((name, "train", "https://example.org, and more") for name in ids[:250]),
    )
    write_csv(
        tmp_path / "oidv7-train-annotations-human-imagelabels.csv",
        ("ImageID", "Source", "LabelName", "Confidence"),
        *((name, "verification", "/m/a", 1) for name in ids),
        *((name, "verification", "/m/b", number % 2) for number, name in enumerate(ids[:20])),
    )
    monkeypatch.chdir(tmp_path)
    exec(script, {})
    wanted = (tmp_path / "ids.txt").read_text().split()
    assert 200 <= len(wanted) <= 220
    for name in wanted:
        image(tmp_path / "images" / f"{name.removeprefix('train/')}.jpg")
    data = read_labelled(tmp_path / "chosen.csv", tmp_path / "images", per_class=200)
    assert Counter(data.labels) == {0: 200, 1: 10}


def test_missing_images_are_counted_before_anything_begins(tmp_path: Path) -> None:
    image(tmp_path / "a.jpg")
    table = write_csv(
        tmp_path / "table.csv", ("path", "label"), ("a.jpg", "x"), ("b.jpg", "x"), ("c.jpg", "y")
    )
    with pytest.raises(DataError, match=r"2 of 3 images .*the first is .*b\.jpg; fetch them"):
        read_labelled(table)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "columns none"),
        (b"url,label\nx,y\n", "columns url, label; it needs a header"),
        (b"path,label\n", "there are no images"),
        (b"path,label\na.jpg,x,y\n", "row 2 .* has 3 columns, and the header 2"),
        (b"path,label\n\xff\xfe.jpg,x\n", "cannot be read as CSV in UTF-8"),
        (b'path,label\n"a"b\x00,x\n', "missing|cannot be read"),
    ],
)
def test_a_table_of_another_kind_is_explained(tmp_path: Path, content: bytes, message: str) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_labelled(table)


def test_places_without_data_are_explained(tmp_path: Path, coloured: Path) -> None:
    with pytest.raises(DataError, match="neither a folder nor a CSV"):
        read_labelled(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"no images in .*CLASS/IMAGE"):
        read_labelled(tmp_path)
    with pytest.raises(DataError, match="--images goes with a CSV"):
        read_labelled(coloured, tmp_path)
    table = write_csv(tmp_path / "table.csv", ("path", "label"))
    with pytest.raises(DataError, match=r"no folder .*nothing"):
        read_labelled(table, tmp_path / "nothing")
