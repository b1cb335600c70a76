"""Training data: folders, tables, Open Images, and images that cannot be read."""

from __future__ import annotations

import csv
import textwrap
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms.v2.functional import pil_to_tensor

from adapters.training.errors import DataError
from adapters.training.labelled import Labelled, read_labelled
from adapters.training.order import Shuffled, Turn
from adapters.training.pictures import Pictures
from adapters.training.reservoir import Reservoir
from tests.coloured import COLOURS, write_coloured
from tests.reading import READ


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


def pairs(data: Labelled) -> list[tuple[str, str]]:
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


def test_a_folder_of_such_folders_is_read_as_one(tmp_path: Path) -> None:
    for name in ("first/cat/1.jpg", "first/dog/1.JPG", "second/cat/2.png", "second/.x/3.png"):
        image(tmp_path / name)
    (tmp_path / "first/cat/notes.txt").write_text("no image")
    (tmp_path / "first/cat/.hidden.jpg").write_text("no image")
    (tmp_path / "second/elk").symlink_to(tmp_path / "first/dog")
    data = read_labelled(tmp_path)
    assert sorted(pairs(data)) == [
        ("1.JPG", "dog"), ("1.JPG", "elk"), ("1.jpg", "cat"), ("2.png", "cat"),
    ]  # fmt: skip


def test_a_flat_folder_is_one_class_and_no_classifier_learns_from_it(tmp_path: Path) -> None:
    image(tmp_path / "photos" / "1.jpg")
    data = read_labelled(tmp_path / "photos")
    assert data.classes == ("photos",)
    with pytest.raises(DataError, match=r"1 class \(photos\).*--objective dino"):
        data.require_classes()


def test_images_a_class_are_drawn_by_the_seed(coloured: Path) -> None:
    drawn = [read_labelled(coloured, per_class=3, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(set(Counter(data.labels).values()) == {3} for data in drawn)
    assert len(read_labelled(coloured, per_class=100)) == 18


def test_a_draw_gives_each_item_the_same_chance() -> None:
    counts: Counter[int] = Counter()
    for seed in range(2000):
        kept: Reservoir[int] = Reservoir(3, seed)
        for item in range(12):
            kept.add("a", item)
        counts.update(item for _, item in kept)
    assert counts.total() == 6000
    # 500 expected each; the standard deviation is 19.
    assert all(400 < counts[item] < 600 for item in range(12))


def test_a_draw_of_a_class_does_not_depend_on_the_others() -> None:
    alone: Reservoir[int] = Reservoir(2, 0)
    among: Reservoir[int] = Reservoir(2, 0)
    for item in range(50):
        alone.add("b", item)
        among.add("a", item)
        among.add("b", item)
    assert list(alone) == [(label, item) for label, item in among if label == "b"]


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


def test_the_draw_in_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/training.md draws only images that can be downloaded, and the reader takes them all."""
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text("utf-8")
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


def noisy(image: Image.Image) -> tuple[torch.Tensor, ...]:
    return (pil_to_tensor(image).float().mean() + torch.rand(()),)


def test_examples_depend_on_the_seed_and_their_turn_alone(coloured: Path) -> None:
    data = read_labelled(coloured)
    pictures = Pictures(data, noisy, read=READ, seed=3, side=64, labelled=True)
    state = torch.get_rng_state()
    first = pictures[Turn(5, 0)]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    again = Pictures(data, noisy, read=READ, seed=3, side=64, labelled=True)[Turn(5, 0)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[1] == data.labels[5]
    assert pictures[Turn(5, 1)][0] != first[0]
    assert (
        Pictures(data, noisy, read=READ, seed=4, side=64, labelled=True)[Turn(5, 0)][0] != first[0]
    )
    assert len(Pictures(data, noisy, read=READ, seed=3, side=64, labelled=False)[Turn(5, 0)]) == 1


def test_broken_images_are_replaced_and_noted_even_by_workers(tmp_path: Path) -> None:
    write_coloured(tmp_path, 4)
    broken = [tmp_path / "red" / "0.png", tmp_path / "blue" / "3.png"]
    broken[0].write_bytes(b"no image")
    broken[1].write_bytes(broken[1].read_bytes()[:300])
    data = read_labelled(tmp_path)
    found = []
    for workers in (0, 2):
        pictures = Pictures(data, noisy, read=READ, seed=0, side=64, labelled=True)
        loader = DataLoader(
            pictures,  # type: ignore[arg-type]
            batch_size=4,
            sampler=Shuffled(len(data), 0),
            num_workers=workers,
        )
        batches = list(loader)
        found.append([torch.cat(column) for column in zip(*batches, strict=True)])
        assert len(found[-1][0]) == 12
        assert sorted(pictures.broken) == sorted(broken)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_a_label_belongs_to_the_image_that_replaced_another(tmp_path: Path) -> None:
    write_coloured(tmp_path, 2, noise=0.0)
    for path in (tmp_path / "red").iterdir():
        path.write_bytes(b"")
    data = read_labelled(tmp_path)

    def colour(image: Image.Image) -> tuple[torch.Tensor, ...]:
        return (pil_to_tensor(image)[:, 0, 0],)

    pictures = Pictures(data, colour, read=READ, seed=0, side=64, labelled=True)
    for number in range(len(data)):
        pixel, label = pictures[Turn(number, 0)]
        assert tuple(pixel.tolist()) == COLOURS[data.classes[int(label)]]


def test_a_disk_that_is_gone_ends_the_run(tmp_path: Path) -> None:
    data = read_labelled(write_coloured(tmp_path, 2))
    for path in data.paths:
        path.unlink()
    with pytest.raises(DataError, match="one after the other cannot be read"):
        Pictures(data, noisy, read=READ, seed=0, side=64, labelled=True)[Turn(0, 0)]


def test_images_are_turned_as_exif_says_and_become_rgb(tmp_path: Path) -> None:
    pixels = np.zeros((40, 80, 3), "uint8")
    pixels[:, :40] = 255
    photo = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees to the right when shown
    photo.save(tmp_path / "turned.jpg", exif=exif)
    read = READ((tmp_path / "turned.jpg").read_bytes(), 1000)
    assert read.size == (40, 80)
    assert read.getpixel((20, 5))[0] > 200  # type: ignore[index]
    assert read.getpixel((20, 75))[0] < 50  # type: ignore[index]
    for mode in ("L", "P", "RGBA", "CMYK", "I;16", "1"):
        path = tmp_path / f"{mode.replace(';', '')}.tiff"
        Image.new(mode, (9, 9)).save(path)
        assert READ(path.read_bytes(), 4).mode == "RGB"


def test_large_photos_are_decoded_smaller_but_never_too_small(tmp_path: Path) -> None:
    Image.new("RGB", (1024, 768)).save(tmp_path / "photo.jpg")
    assert READ((tmp_path / "photo.jpg").read_bytes(), 192).size == (256, 192)
    assert READ((tmp_path / "photo.jpg").read_bytes(), 200).size == (512, 384)
    assert READ((tmp_path / "photo.jpg").read_bytes(), 448).size == (1024, 768)
    assert READ((tmp_path / "photo.jpg").read_bytes(), 384).size == (512, 384)
