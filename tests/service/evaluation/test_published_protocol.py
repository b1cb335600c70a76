"""``handful evaluate --protocol paper``."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console
from torch.nn.functional import normalize
from typer.testing import CliRunner, Result

from adapters.backbones.support_views import random_crops
from adapters.engines import Eager
from adapters.engines.raw import Raw
from adapters.loading import load_backbone
from adapters.published import PUBLISHED_HEADS, PublishedHead
from adapters.synthetic_pictures import SUBJECTS, picture
from service.cli import app
from service.datasets.dataset import read_dataset
from service.evaluation.published_features import CROPS, PublishedFeatures
from service.evaluation.published_protocol import PublishedProtocol
from service.settings import Settings

SPLITS = {"train": 2, "val": 2, "test": 3}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes in three splits; one has a name that is not its folder's."""
    folder = tmp_path_factory.mktemp("drawn")
    for label, subject in zip(("0 ring", "1 F-A-18", "2 star_fish"), SUBJECTS, strict=False):
        number = 0
        for split, n in SPLITS.items():
            (folder / split / label).mkdir(parents=True)
            for _ in range(n):
                image = picture(subject, number).resize((80, 60))
                image.save(folder / split / label / f"{number}.png")
                number += 1
    names = {"0 ring": "ring", "1 F-A-18": "F/A-18", "2 star_fish": "star fish"}
    document = {"names": names, "templates": ["a photo of a {}.", "{} texture."]}
    (folder / "classes.json").write_text(json.dumps(document))
    return folder


def invoke(*arguments: str) -> Result:
    """``handful evaluate`` in this process, where the imports are done already."""
    return CliRunner().invoke(app, ["evaluate", *arguments])


def test_it_searches_measures_and_writes(drawn: Path, vit: str, tmp_path: Path) -> None:
    def run(out: str) -> str:
        ran = invoke(
            str(drawn), "--protocol=paper", "--shots=1,2", "--seeds=2", f"--backbone={vit}",
            f"--out={tmp_path / out}", f"--cache={tmp_path / 'cache'}",
        )  # fmt: skip
        assert ran.exit_code == 0, ran.output
        return " ".join(ran.output.split())

    told = run("first")
    # Every training image is a support image of some draw; validation and test images are queries.
    assert "21 images embedded, 0 taken from the cache" in told
    assert f"class names from {drawn / 'classes.json'}" in told
    assert "test accuracy in %" in told
    document = json.loads((tmp_path / "first" / "results.json").read_text())
    assert document["protocol"]["name"] == "paper"
    assert document["protocol"]["names"]["1 F-A-18"] == "F/A-18"
    assert document["validation"] == str(drawn / "val")
    results = document["results"]
    assert [(r["method"], r["shots"], r["seed"]) for r in results] == [
        (method, shots, seed) for shots in (1, 2) for seed in (0, 1) for method in PUBLISHED_HEADS
    ]
    for result in results:
        assert 9 * result["accuracy"] == pytest.approx(round(9 * result["accuracy"]))
        assert 6 * result["validation_accuracy"] == pytest.approx(
            round(6 * result["validation_accuracy"])
        )
    plain, tip = results[0], results[1]
    assert (plain["settings"], plain["alpha"], plain["beta"], plain["gamma"]) == (1, 0, 0, 0)
    # α = 0 is on the grid, so the best setting is as good as none on the images it is chosen for.
    assert tip["validation_accuracy"] >= plain["validation_accuracy"]
    with (tmp_path / "first" / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["protocol"] for row in rows} == {"paper"}
    assert [float(row["accuracy"]) for row in rows] == [r["accuracy"] for r in results]
    with Image.open(tmp_path / "first" / "accuracy.png") as shown:
        assert min(shown.size) > 600
    assert "0 images embedded, 21 taken from the cache" in run("second")
    again = (tmp_path / "second" / "results.json").read_bytes()
    assert again == (tmp_path / "first" / "results.json").read_bytes()


def test_support_images_are_ten_raw_crops_and_the_rest_follows(
    drawn: Path, vit: str, tmp_path: Path
) -> None:
    backbone = load_backbone(vit, "cpu", make_engine=Raw.made)
    unit = load_backbone(vit, "cpu", make_engine=Eager.made)
    file = drawn / "train" / "0 ring" / "0.png"
    settings, console = Settings(), Console(quiet=True)
    support = PublishedFeatures(backbone, settings, console, None, crops=CROPS)
    queries = PublishedFeatures(backbone, settings, console, None)
    support.compute([file])
    queries.compute([file])
    image = Image.open(file).convert("RGB")
    [digest] = support._rows
    crops = [
        backbone.preprocess(crop) for crop in random_crops(image, 10, digest, backbone.image_size)
    ]
    raw = backbone.encode_images(torch.stack(crops)).frozen
    assert raw.norm(dim=1).std() > 0
    wanted = normalize(raw.mean(dim=0, keepdim=True), dim=1)
    torch.testing.assert_close(support.of([file]).frozen, wanted)
    whole = unit.encode_images(unit.preprocess(image).unsqueeze(0))
    torch.testing.assert_close(queries.of([file]).frozen, whole.frozen)

    # What the command says of a draw is what the head says of the same embeddings.
    out = tmp_path / "out"
    ran = invoke(
        str(drawn), "--protocol=paper", "--shots=2", "--seeds=1", "--methods=tip-x", "--no-cache",
        f"--backbone={vit}", f"--out={out}",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    [result] = json.loads((out / "results.json").read_text())["results"]
    dataset = read_dataset(drawn)
    split = {
        part: [
            (path, column)
            for column, label in enumerate(dataset.labels)
            for path in sorted((drawn / part / label).iterdir())
        ]
        for part in SPLITS
    }
    support.compute(path for path, _ in split["train"])
    queries.compute(path for part in ("val", "test") for path, _ in split[part])
    names = json.loads((drawn / "classes.json").read_text())["names"]
    templates = ("a photo of a {}.", "{} texture.")
    protocol = PublishedProtocol(("tip-x",), (2,), (0,), templates, names)
    texts = protocol.texts(backbone, dataset.labels)
    each = [
        unit.encode_texts([template.format(names[label]) for label in dataset.labels])
        for template in templates
    ]
    torch.testing.assert_close(texts, normalize(each[0] + each[1], dim=1))
    assert protocol.texts(backbone, ["star_fish"]).equal(protocol.texts(backbone, ["2 star_fish"]))
    head = PublishedHead(
        "tip-x",
        texts,
        support.of([path for path, _ in split["train"]]),
        torch.tensor([column for _, column in split["train"]]),
        backbone.logit_scale,
    )
    truth = {part: torch.tensor([column for _, column in split[part]]) for part in SPLITS}
    of = {part: queries.of([path for path, _ in split[part]]) for part in ("val", "test")}
    found = head.search(of["val"], truth["val"])
    assert found.accuracy == pytest.approx(result["validation_accuracy"])
    assert head.accuracy(of["test"], truth["test"], found.setting) == pytest.approx(
        result["accuracy"]
    )


def refused(*arguments: str) -> str:
    ran = invoke(*arguments)
    assert ran.exit_code == 2, ran.output
    return " ".join(ran.output.replace("│", " ").split())


@pytest.mark.parametrize(
    "option",
    ["--coverage=0.9", "--leave-classes-out=0.5", "--support-views=4", "--suggested", "--nameless"],
)
def test_options_of_the_ordinary_protocol_are_refused(drawn: Path, option: str) -> None:
    told = refused(str(drawn), "--protocol=paper", option)
    assert f"{option.split('=')[0]} does not go with --protocol paper" in told


def test_what_has_no_published_search_is_refused(drawn: Path) -> None:
    for name in ("ape", "gda++", "auto", "nonsense"):
        told = refused(str(drawn), "--protocol=paper", f"--methods=tip-x,{name}")
        assert f"{name} is not evaluated by --protocol paper" in told
        assert "tip-adapter++" in told
    assert "goes with --protocol paper" in refused(str(drawn), f"--validation={drawn}")


def test_validation_images_must_show_the_classes(drawn: Path, tmp_path: Path) -> None:
    command = (str(drawn), "--protocol=paper")
    assert "name one with --validation" in refused(*command, f"--validation={tmp_path / 'none'}")
    other = tmp_path / "other"
    shutil.copytree(drawn / "val", other)
    shutil.copytree(other / "0 ring", other / "9 square")
    assert "without training images: 9 square" in refused(*command, f"--validation={other}")
    shutil.rmtree(other / "9 square")
    shutil.rmtree(other / "0 ring")
    assert "no images of 0 ring" in refused(*command, f"--validation={other}")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is not as it should be"),
        ('{"names": {"0 ring": 1}}', "names.0 ring"),
        ('{"nams": {}}', "nams"),
        ('{"names": {"square": "square"}}', "no folder: square"),
        ('{"templates": ["a photo"]}', "'a photo' has no {}"),
        (" " * (5 << 20), "larger than 4 MiB"),
    ],
)
def test_class_names_that_cannot_be_used_are_refused(
    drawn: Path, tmp_path: Path, content: str, told: str
) -> None:
    folder = tmp_path / "set"
    shutil.copytree(drawn, folder)
    (folder / "classes.json").write_text(content)
    assert told in refused(str(folder), "--protocol=paper")
