"""Published data sets as folders of links."""

from __future__ import annotations

import json
import os
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.published_sets import __main__ as command
from benchmarks.published_sets import open_images, table
from benchmarks.published_sets.links import folder_name, write_links
from benchmarks.published_sets.sets import SETS
from benchmarks.published_sets.split import Item, LayoutError, below
from benchmarks.published_sets.zhou import read_zhou
from service.datasets.dataset import read_classes, read_dataset
from service.evaluation.published_names import read_names


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["published_sets", *arguments])
    return command.main()


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"picture")


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    """StanfordCars with two classes; two of the three files of a class have one name."""
    folder = tmp_path / "root" / "stanford_cars"
    split: dict[str, list[tuple[str, int, str]]] = {"train": [], "val": [], "test": []}
    for label, name in enumerate(("2000 AM General Hummer_SUV", "2012 Ram C/V Van")):
        for part, where in (("train", "cars_train"), ("val", "cars_val"), ("test", "cars_test")):
            split[part].append((f"{where}/{label}.jpg", label, name))
            touch(folder / where / f"{label}.jpg")
    split["train"].append(("cars_val/1.jpg", 1, "2012 Ram C/V Van"))
    (folder / "split_zhou_StanfordCars.json").write_text(json.dumps(split))
    return tmp_path / "root"


def test_a_set_becomes_folders_that_evaluate_reads(
    cars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "folders" / "cars"
    assert run(monkeypatch, "stanford_cars", str(cars), str(out)) == 0
    told = capsys.readouterr().out
    assert "2 classes, images: 3 train, 2 val, 2 test" in told
    assert "196 classes" in told  # it is a cut of the published one
    dataset = read_dataset(out)
    assert dataset.labels == ("0 2000 AM General Hummer SUV", "1 2012 Ram C-V Van")
    assert [len(dataset.train[label]) for label in dataset.labels] == [1, 2]
    assert {path.resolve() for path in dataset.test[dataset.labels[1]]} == {
        (cars / "stanford_cars" / "cars_test" / "1.jpg").resolve()
    }
    assert set(read_classes(out / "val")) == set(dataset.labels)
    read = read_names(out, dataset).names
    assert list(read.names.values()) == ["2000 AM General Hummer SUV", "2012 Ram C/V Van"]
    assert read.templates == ["a photo of a {}."]
    # Never over what is there, and nothing half made.
    assert run(monkeypatch, "stanford_cars", str(cars), str(out)) == 1
    assert "is there already" in capsys.readouterr().err
    assert [entry.name for entry in out.parent.iterdir()] == ["cars"]


def test_imagenet_has_its_names_and_its_test_images_for_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "imagenet"
    names = {"n03773504": "missile", "n04008634": "missile", "n01440764": "great_tench"}
    (folder / "images").mkdir(parents=True)
    (folder / "classnames.txt").write_text("".join(f"{k} {v}\n" for k, v in names.items()))
    for wnid in names:
        touch(folder / "images" / "train" / wnid / "a.JPEG")
        touch(folder / "images" / "val" / wnid / "b.JPEG")
    out = tmp_path / "out"
    assert run(monkeypatch, "imagenet", str(tmp_path), str(out)) == 0
    assert "val is test" in capsys.readouterr().out
    dataset = read_dataset(out)
    assert dataset.labels == ("0 great tench", "1 missile", "2 missile")
    assert [[path.name for path in dataset.test[label]] for label in dataset.labels] == [
        ["b.JPEG"]
    ] * 3
    assert len(read_names(out, dataset).names.templates) == 7
    (folder / "images" / "val" / "n03773504" / "b.JPEG").unlink()
    (folder / "images" / "val" / "n03773504").rmdir()
    assert run(monkeypatch, "imagenet", str(tmp_path), str(tmp_path / "other")) == 1
    assert "n03773504 in one of train and val only" in capsys.readouterr().err


def test_aircraft_have_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "fgvc_aircraft"
    (folder / "images").mkdir(parents=True)
    (folder / "variants.txt").write_text("707-320\nF/A-18\n")
    for number, part in enumerate(("train", "val", "test")):
        lines = [f"{number}{label} {name}\n" for label, name in enumerate(("707-320", "F/A-18"))]
        (folder / f"images_variant_{part}.txt").write_text("".join(lines))
        for label in range(2):
            touch(folder / "images" / f"{number}{label}.jpg")
    assert run(monkeypatch, "fgvc_aircraft", str(tmp_path), str(tmp_path / "out")) == 0
    dataset = read_dataset(tmp_path / "out")
    assert list(read_names(tmp_path / "out", dataset).names.names.values()) == ["707-320", "F/A-18"]
    (folder / "images_variant_val.txt").write_text("10 Concorde\n")
    assert run(monkeypatch, "fgvc_aircraft", str(tmp_path), str(tmp_path / "other")) == 1
    assert "'Concorde', which is not in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        ("[]", "is no split"),
        ("nothing", "is no split"),
        ('{"train": [["a.jpg", "0", "a"]], "val": [], "test": []}', "is no split: train"),
        ('{"train": [["a.jpg", 0, "a"]], "val": [], "test": []}', "1 of 1 images are not there"),
        ('{"train": [["../a.jpg", 0, "a"]], "val": [], "test": []}', "which is not below"),
        ('{"train": [["sub", 0, "a"]], "val": [], "test": []}', "not there"),
    ],
)
def test_a_split_that_cannot_be_used_is_refused(
    tmp_path: Path, content: str | None, told: str
) -> None:
    (tmp_path / "images" / "sub").mkdir(parents=True)
    (tmp_path / "a.jpg").write_bytes(b"outside")
    path = tmp_path / "split.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(LayoutError, match=told):
        read_zhou(path, tmp_path / "images")


@given(st.lists(st.sampled_from(["..", ".", "a", "b c", "", "\\", "\0", "é"]), max_size=5))
def test_no_path_of_a_split_leads_elsewhere(parts: list[str]) -> None:
    folder = Path("/somewhere/images")
    path = "/".join(parts)
    try:
        found = below(folder, path, Path("split.json"))
    except LayoutError:
        return
    assert os.path.normpath(found).startswith(f"{folder}/")
    assert ".." not in found.parts


@given(st.text(alphabet=string.printable + "é☃\0\u202e", max_size=120), st.integers(0, 999))
def test_folders_of_classes_are_one_plain_name(name: str, label: int) -> None:
    folder = folder_name(label, name, 3)
    assert folder.startswith(f"{label:03d}")
    assert not set(folder) & set("/\\\0\n")
    assert folder == folder.strip()
    assert len(folder.encode()) < 255


def test_one_class_has_one_name(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    split = {"train": [Item(tmp_path / "a.jpg", 0, "a"), Item(tmp_path / "a.jpg", 0, "b")]}
    with pytest.raises(LayoutError, match="named 'a' and 'b'"):
        write_links(split, (), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_published_counts_are_those_of_the_archives() -> None:
    # Images of each archive, which the three splits share out.
    totals = {
        "caltech101": 9144 - 467 - 435,  # without the background and the easy faces
        "oxford_pets": 7349,
        "stanford_cars": 16_185,
        "oxford_flowers": 8189,
        "food101": 101_000,
        "fgvc_aircraft": 10_000,
        "sun397": 2 * 19_850,
        "dtd": 5640,
        "eurosat": 27_000,
        "ucf101": 13_320,
    }
    assert {name: sum(SETS[name].counts) for name in totals} == totals
    assert len(SETS) == 11
    assert sum(of.classes for of in SETS.values()) == 2191


def test_the_authors_list_becomes_a_table_and_identifiers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "oi_data.csv"
    rows = ["ImageID,DisplayName,type", "000a1249af2bc5f0,Cat,train", "000a1249af2bc5f0,Dog,human"]
    source.write_text("\n".join([*rows, "0000000000000001,Dog,validation"]))
    monkeypatch.setattr("sys.argv", ["open_images", str(source), str(tmp_path / "out")])
    assert open_images.main() == 0
    assert "3 examples of 2 classes" in capsys.readouterr().out
    assert (tmp_path / "out" / "ids.txt").read_text().split() == [
        "train/000a1249af2bc5f0",
        "validation/0000000000000001",
    ]
    assert (tmp_path / "out" / "images.csv").read_text().split()[:2] == [
        "path,label",
        "000a1249af2bc5f0.jpg,Cat",
    ]
    source.write_text("\n".join([rows[0], "../etc/passwd,Cat,train"]))
    assert open_images.main() == 1
    assert "16 hex digits" in capsys.readouterr().err


def test_results_stand_side_by_side(tmp_path: Path) -> None:
    def result(name: str, accuracy: float, protocol: str = "paper") -> None:
        path = tmp_path / "supervised" / name / "results.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        summary = [{"method": "tip-x++", "shots": 16, "accuracy": {"mean": accuracy}}]
        path.write_text(json.dumps({"protocol": {"name": protocol}, "summary": summary}))

    result("eurosat", 0.75)
    result("imagenet", 0.5)
    [shown] = table.tables(tmp_path)
    assert shown.splitlines()[0] == "| supervised | shots | ImageNet | EuroSAT | mean of 2 |"
    assert shown.splitlines()[2] == "| tip-x++ | 16 | 50.00 | 75.00 | 62.50 |"
    result("dtd", 0.5, protocol="few-shot")
    with pytest.raises(ValueError, match="another protocol"):
        table.tables(tmp_path)
