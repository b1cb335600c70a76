"""``handful diagnose`` on small folders of real images."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import conformal_clip_data
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from adapters.backbones import Backbone
from adapters.loading import load_backbone
from service.cli import app
from service.diagnosis.labelled import LabelledImages
from service.diagnosis.run import DiagnosisOut
from service.evaluation.dataset import DatasetError
from tests.service.pictures import noise

SHOTS, QUERIES = 8, 4
LABELS = ("global", "local", "nominal")


@pytest.fixture(scope="module")
def cloth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set that is hard: sound cloth, local and global defects."""
    folder = tmp_path_factory.mktemp("cloth")
    source = conformal_clip_data.textile_simulated_root()
    for label in LABELS:
        files = sorted((source / label).glob("*.jpg"))
        for split, chosen in (("train", files[:SHOTS]), ("test", files[SHOTS : SHOTS + QUERIES])):
            (folder / split / label).mkdir(parents=True)
            for i, file in enumerate(chosen):
                shutil.copyfile(file, folder / split / label / f"{i}.jpg")
    return folder


@pytest.fixture(scope="module")
def lite() -> Backbone:
    return load_backbone("lite", "cpu")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["diagnose", *arguments])


def said(stream: str) -> str:
    """Without the lines that a terminal breaks and the frame around errors."""
    return " ".join(stream.replace("│", " ").split())


def embedded(backbone: Backbone, folder: Path) -> tuple[Any, Any, list[int]]:
    """Both embeddings and the classes of the images in ``folder/CLASS/*``, one at a time."""
    frozen, corrected, labels = [], [], []
    for column, label in enumerate(sorted(path.name for path in folder.iterdir())):
        for file in sorted((folder / label).iterdir()):
            with Image.open(file) as image:
                pixels = backbone.preprocess(image.convert("RGB"))
            row = backbone.encode_images(pixels.unsqueeze(0))
            frozen.append(row.frozen[0].double().numpy())
            corrected.append(row.corrected[0].double().numpy())
            labels.append(column)
    return np.array(frozen), np.array(corrected), labels


def nearest_right(keys: Any, labels: Sequence[int]) -> list[bool]:
    cosines = keys @ keys.T
    np.fill_diagonal(cosines, -np.inf)
    return [labels[j] == labels[i] for i, j in enumerate(cosines.argmax(axis=1))]


def test_a_diagnosis_is_printed_and_written(cloth: Path, lite: Backbone, tmp_path: Path) -> None:
    ran = invoke(str(cloth), f"--out={tmp_path / 'out'}", f"--cache={tmp_path / 'cache'}")
    assert ran.exit_code == 0, ran.output
    assert f"{3 * SHOTS} images embedded, 0 taken from the cache" in said(ran.stderr)
    document = json.loads((tmp_path / "out" / "diagnosis.json").read_text())
    assert set(document) == set(DiagnosisOut.model_json_schema()["properties"])
    assert (document["dataset"], document["split"]) == (cloth.name, "train")
    assert (document["labels"], document["n_images"]) == (list(LABELS), 3 * SHOTS)
    assert (document["backbone"], document["correction"]) == ("lite", lite.correction.name)
    assert document["fingerprint"] == lite.fingerprint
    assert document["templates"] == list(lite.templates)

    # The values, computed a second time.
    frozen, corrected, labels = embedded(lite, cloth / "train")
    found = document["measures"]
    same = np.array(labels)[:, None] == labels
    upper = np.triu(np.ones_like(same), 1)
    for keys, name in ((frozen, "frozen"), (corrected, "corrected")):
        cosines, values = keys @ keys.T, found[name]
        assert values["neighbour_accuracy"] == np.mean(nearest_right(keys, labels))
        assert values["paired_similarity"] == pytest.approx(cosines[same & upper].mean(), abs=1e-4)
        assert values["unpaired_similarity"] == pytest.approx(
            cosines[~same & upper].mean(), abs=1e-4
        )
        potentials = np.exp(4 * cosines[upper] - 4)
        assert values["uniformity"] == pytest.approx(np.log(potentials.mean()), abs=1e-3)
        assert values["variance"] == pytest.approx(keys.var(axis=0).sum(), abs=1e-4)
    texts = lite.encode_classes(LABELS).double().numpy()
    distances = 2 - 2 * frozen @ texts.T
    own = distances[np.arange(len(labels)), labels]
    distances[np.arange(len(labels)), labels] = np.inf
    named = found["frozen"]["texts"]
    assert named["alignment"] == pytest.approx(own.mean(), abs=1e-4)
    assert named["relative_alignment"] == pytest.approx(
        (own - distances.min(axis=1)).mean(), abs=1e-4
    )
    gap = np.linalg.norm(frozen.mean(axis=0) - texts[labels].mean(axis=0))
    assert named["modality_gap"] == pytest.approx(gap, abs=1e-4)
    assert found["corrected"]["texts"] is None
    assert not found["same_space"]
    assert found["is_corrected"]
    sides = list(zip(nearest_right(frozen, labels), nearest_right(corrected, labels), strict=True))
    assert (found["n_judged"], found["gained"], found["lost"]) == (
        len(labels), sides.count((False, True)), sides.count((True, False)),
    )  # fmt: skip

    # And the table shows them.
    table = ran.stdout
    assert max(map(len, table.splitlines())) <= 80
    accuracies = [found[name]["neighbour_accuracy"] for name in ("frozen", "corrected")]
    areas = [document["overlap"][name]["overlap"] for name in ("frozen", "corrected")]
    for pair in (accuracies, areas):
        assert 0 < pair[0] < 1  # hard enough for a figure to be wrong
        assert "  ".join(f"{100 * round(value, 3):.1f} %" for value in pair) in table
    assert f"{named['alignment']:.3f}       –" in table
    assert "space of its own" in said(table)
    assert "before" in table
    assert "difference" in table


def test_pictures_are_written_for_screens_and_for_print(
    cloth: Path, vit: str, tmp_path: Path
) -> None:
    for out in ("first", "second"):
        ran = invoke(str(cloth), f"--out={tmp_path / out}", f"--cache={tmp_path / 'cache'}")
        assert ran.exit_code == 0, ran.output
    assert "0 images embedded" in said(ran.stderr)
    names = {"diagnosis.json", "overlap.png", "overlap.svg"}
    assert {path.name for path in (tmp_path / "first").iterdir()} == names
    for name in names:
        first, second = (tmp_path / out / name for out in ("first", "second"))
        assert first.read_bytes() == second.read_bytes(), name
    with Image.open(tmp_path / "first" / "overlap.png") as picture:
        assert picture.width > 2 * picture.height
        colours = picture.convert("RGB").getcolors(1 << 24) or []
        assert len(colours) > 50
        assert max(count for count, _ in colours) < 0.95 * picture.width * picture.height
    drawing = ET.parse(tmp_path / "first" / "overlap.svg").getroot()
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    text = (tmp_path / "first" / "overlap.svg").read_text()
    areas = json.loads((tmp_path / "first" / "diagnosis.json").read_text())["overlap"]
    for name in ("frozen", "corrected"):
        # Letters are shapes; what they spell stands beside them as a comment.
        assert f"overlap {100 * areas[name]['overlap']:.1f} %" in text
    assert "Before: frozen embedding" in text
    assert "After: corrected embedding" in text


def test_a_backbone_without_correction_has_one_embedding(
    cloth: Path, vit: str, tmp_path: Path
) -> None:
    ran = invoke(str(cloth), f"--backbone={vit}", f"--out={tmp_path}", "--no-cache", "--split=test")
    assert ran.exit_code == 0, ran.output
    assert "no correction, so there is one embedding only" in said(ran.stdout)
    assert "after" not in ran.stdout
    assert "/test: 12 images of 3 classes" in ran.stdout
    found = json.loads((tmp_path / "diagnosis.json").read_text())
    assert found["split"] == "test"
    assert not found["measures"]["is_corrected"]
    assert found["measures"]["frozen"] == found["measures"]["corrected"]
    assert found["measures"]["frozen"]["texts"] is not None
    with Image.open(tmp_path / "overlap.png") as picture:
        assert picture.width < 1.5 * picture.height
    assert "After" not in (tmp_path / "overlap.svg").read_text()


def test_names_without_meaning_take_no_part(cloth: Path, vit: str, tmp_path: Path) -> None:
    ran = invoke(
        str(cloth / "train"), "--nameless", "--limit=3", f"--backbone={vit}", "--no-cache",
        f"--out={tmp_path}",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    assert "names carry no meaning" in said(ran.stdout)
    assert "alignment" not in ran.stdout
    found = json.loads((tmp_path / "diagnosis.json").read_text())
    assert (found["split"], found["templates"]) == (None, None)
    assert found["n_images"] == 9
    assert found["measures"]["frozen"]["texts"] is None


def test_templates_change_the_names_alone(cloth: Path, vit: str, tmp_path: Path) -> None:
    found = []
    for i, template in enumerate(("a photo of {}", "no {} at all")):
        out = tmp_path / str(i)
        ran = invoke(
            str(cloth), f"--template={template}", f"--backbone={vit}",
            f"--cache={tmp_path / 'cache'}", f"--out={out}",
        )  # fmt: skip
        assert ran.exit_code == 0, ran.output
        found.append(json.loads((out / "diagnosis.json").read_text()))
        assert found[-1]["templates"] == [template]
    one, other = (document["measures"]["frozen"] for document in found)
    assert one.pop("texts") != other.pop("texts")
    assert one == other


# Which images.


def test_a_folder_is_read_with_splits_or_without(cloth: Path, tmp_path: Path) -> None:
    train = LabelledImages.read(cloth)
    assert (train.split, len(train.files)) == ("train", 3 * SHOTS)
    assert train.columns == tuple(i for i in range(3) for _ in range(SHOTS))
    assert [train.labels[column] for column in train.columns] == [
        file.parent.name for file in train.files
    ]
    assert LabelledImages.read(cloth, "test").split == "test"
    plain = LabelledImages.read(cloth / "test")
    assert (plain.split, plain.name, len(plain.files)) == (None, "test", 3 * QUERIES)
    # A data set of vehicles may have a class that is called train.
    for label in ("train", "tram"):
        shutil.copytree(cloth / "train" / "local", tmp_path / label)
    vehicles = LabelledImages.read(tmp_path)
    assert (vehicles.split, vehicles.labels) == (None, ("train", "tram"))
    shutil.copytree(cloth / "test", tmp_path / "alone" / "test")
    assert LabelledImages.read(tmp_path / "alone").split == "test"


def test_a_limit_takes_images_from_all_over_the_class(cloth: Path) -> None:
    few = LabelledImages.read(cloth, limit=3)
    assert [file.stem for file in few.files] == 3 * ["0", "4", "7"]
    assert LabelledImages.read(cloth, limit=99) == LabelledImages.read(cloth)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no/such/folder"], "no folder no/such/folder"),
        (["{cloth}/train/local"], "has no images; they belong in"),
        (["{cloth}/train", "--split=test"], "no folder test/CLASS/, or leave out --split"),
        (["{cloth}", "--split=dev"], "'dev' is not one of"),
        (["{cloth}", "--limit=1"], "1 is not in the range x>=2"),
        (["{cloth}", "--template=photo"], "no {} for the class name"),
        (["{cloth}", "--template=a {}", "--prompts=x"], "--template does not go with prompts"),
        (["{cloth}", "--cache=x", "--no-cache"], "give one of them"),
        (["{cloth}", "--out=/dev/null/x"], "name another folder with --out"),
    ],
)
def test_wrong_arguments_are_explained(cloth: Path, arguments: list[str], message: str) -> None:
    ran = invoke(*(argument.replace("{cloth}", str(cloth)) for argument in arguments))
    assert ran.exit_code == 2
    assert message in said(ran.stderr)


def test_images_must_have_something_to_be_compared_with(cloth: Path, tmp_path: Path) -> None:
    shutil.copytree(cloth / "train" / "local", tmp_path / "one" / "local")
    with pytest.raises(DatasetError, match="one class only; add a folder"):
        LabelledImages.read(tmp_path / "one")
    for label in "ab":
        (tmp_path / "singles" / label).mkdir(parents=True)
        noise(1).save(tmp_path / "singles" / label / "x.png")
    with pytest.raises(DatasetError, match="has two images to compare; add a second one"):
        LabelledImages.read(tmp_path / "singles")
    shutil.copytree(cloth / "train", tmp_path / "part" / "train")
    with pytest.raises(DatasetError, match=r"no folder test/CLASS/; there is train"):
        LabelledImages.read(tmp_path / "part", "test")


def test_a_file_that_is_no_image_is_named(cloth: Path, vit: str, tmp_path: Path) -> None:
    shutil.copytree(cloth / "test", tmp_path / "data")
    (tmp_path / "data" / "local" / "notes.txt").write_text("skipped by its name")
    (tmp_path / "data" / "local" / "notes.png").write_text("not an image")
    ran = invoke(str(tmp_path / "data"), "--no-cache", f"--backbone={vit}")
    assert ran.exit_code == 1
    assert "notes.png" in ran.stderr
    assert "Replace or remove this file" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_results_that_cannot_be_written_are_an_error(cloth: Path, vit: str, tmp_path: Path) -> None:
    (tmp_path / "overlap.png").mkdir()
    ran = invoke(str(cloth), "--no-cache", f"--backbone={vit}", f"--out={tmp_path}")
    assert ran.exit_code == 2
    assert "name another folder with --out" in said(ran.stderr)
    assert "intra-modal overlap" in ran.stdout  # the work was not in vain
