"""``handful suggest`` on small folders of real images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx2 as httpx
import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from tests.service.client import Classifier, Json
from tests.service.pictures import TEXTURES, patches


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["suggest", *map(str, arguments), "--no-cache"])


def suggested(*arguments: object) -> Json:
    ran = invoke(*arguments, "--json")
    assert ran.exit_code == 0, ran.output
    found: Json = json.loads(ran.stdout)
    return found


def said(stream: str) -> str:
    """Without the lines that a terminal breaks and the frame around errors."""
    return " ".join(stream.replace("│", " ").split())


def write(folder: Path, named: dict[str, bytes]) -> Path:
    for name, content in named.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def support(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patches each of brick and grass."""
    named = {f"{label}/{i}.png": patches(label)[i] for label in TEXTURES[:2] for i in range(2)}
    return write(tmp_path_factory.mktemp("support"), named)


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patches of all textures, one of them a support image, and what is no image."""
    named = {f"{label}-{i}.png": patches(label)[i] for label in TEXTURES for i in range(4, 8)}
    named |= {"again.png": patches("brick")[0], "notes.txt": b"of the day"}
    return write(tmp_path_factory.mktemp("flat"), named)


@pytest.fixture(scope="module")
def in_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = {f"{label}/{i}.png": patches(label)[i] for label in TEXTURES for i in range(4, 8)}
    return write(tmp_path_factory.mktemp("pool"), named)


def test_it_answers_as_the_service(
    http: httpx.Client, support: Path, flat: Path, tmp_path: Path
) -> None:
    classifier = Classifier(http, "suggested-by-command")
    classifier.put().raise_for_status()
    for label in TEXTURES[:2]:
        classifier.post(label, *patches(label)[:2]).raise_for_status()
    pool = {path.name: path.read_bytes() for path in sorted(flat.iterdir())}
    answer = http.post(
        f"{classifier.url}/suggest",
        files=[("files", (name, content)) for name, content in pool.items()],
        params={"n": 4},
    ).json()
    exported = tmp_path / "classifier.zip"
    exported.write_bytes(http.get(f"{classifier.url}/export").content)
    for known in (("--support", support), ("--classifier", exported)):
        found = suggested(flat, "-n", 4, *known)
        assert found["labelled"] is False
        assert found["n_images"] == answer["n_images"] == 13
        assert [one["file"] for one in found["suggestions"]] == [
            one["filename"] for one in answer["suggestions"]
        ]
        for one, other in zip(found["suggestions"], answer["suggestions"], strict=True):
            assert one["gain"] == pytest.approx(other["gain"], abs=1e-3)
            assert one["coverage"] == pytest.approx(other["coverage"], abs=1e-3)
            assert one["predicted"]["label"] == other["predicted"]["label"]
            assert one["nearest"]["label"] == other["nearest"]["label"]
            assert one["nearest"]["similarity"] == pytest.approx(
                other["nearest"]["similarity"], abs=1e-3
            )
        [copy] = found["duplicates"]
        assert (copy["file"], copy["of"]["label"], copy["of"]["file"]) == (
            "again.png", "brick", "brick/0.png",
        )  # fmt: skip


def test_a_table_names_the_images_in_order(support: Path, flat: Path, vit: str) -> None:
    arguments = (flat, "-n", 3, "--support", support, "--backbone", vit)
    ran = invoke(*arguments)
    assert ran.exit_code == 0, ran.output
    order = [one["file"] for one in suggested(*arguments)["suggestions"]]
    places = [ran.stdout.index(name) for name in order]
    assert places == sorted(places)
    assert "again.png is registered: brick/0.png (brick)" in ran.stdout
    assert "3 of 13 images suggested" in said(ran.stderr)


def test_folders_are_classes_unless_told_otherwise(in_folders: Path, vit: str) -> None:
    found = suggested(in_folders, "-n", 2, "--backbone", vit)
    assert found["labelled"] is True
    labels = [one["label"] for one in found["suggestions"]]
    assert sorted(labels[:3]) == sorted(labels[3:]) == sorted(TEXTURES)
    assert all(one["file"].startswith(one["label"]) for one in found["suggestions"])
    assert all(one["predicted"] is one["nearest"] is None for one in found["suggestions"])
    found = suggested(in_folders, "-n", 2, "--no-folders", "--backbone", vit)
    assert found["labelled"] is False
    assert len(found["suggestions"]) == 2


def test_classes_without_images_of_an_exported_classifier_can_be_answered(
    http: httpx.Client, in_folders: Path, tmp_path: Path
) -> None:
    classifier = Classifier(http, "suggested-by-name")
    classifier.put(classes=list(TEXTURES)).raise_for_status()
    exported = tmp_path / "classifier.zip"
    exported.write_bytes(http.get(f"{classifier.url}/export").content)
    found = suggested(in_folders, "-n", 1, "--classifier", exported)
    assert len(found["suggestions"]) == 3
    for one in found["suggestions"]:
        assert one["predicted"]["label"] in TEXTURES
        assert one["nearest"] is None


def test_what_cannot_be_done_is_said(
    support: Path, flat: Path, in_folders: Path, vit: str, tmp_path: Path
) -> None:
    no_images = write(tmp_path / "none", {"notes.txt": b"x"})
    mixed = write(tmp_path / "mixed", {"a/1.png": b"", "2.png": b""})
    no_classifier = write(tmp_path, {"other.zip": b"PK"}) / "other.zip"
    for arguments, told in [
        ((tmp_path / "missing",), "there is no folder"),
        ((no_images,), "no images"),
        ((mixed,), "--no-folders"),
        ((flat, "--support", support, "--classifier", no_classifier), "contradict"),
        ((flat, "--support", flat), "no images; they belong in"),
        ((flat, "--template", "a photo of {}"), "--support"),
    ]:
        ran = invoke(*arguments)
        assert ran.exit_code == 2, ran.output
        assert told in said(ran.output), ran.output
    ran = invoke(flat, "--classifier", no_classifier, "--backbone", vit)
    assert ran.exit_code == 1, ran.output
    assert "Traceback" not in ran.output
    ran = invoke(flat, "--classifier", tmp_path / "missing.zip", "--backbone", vit)
    assert ran.exit_code in {1, 2}, ran.output
    assert "missing.zip" in said(ran.output)


def test_a_classifier_of_another_backbone_is_refused(
    http: httpx.Client, flat: Path, vit: str, tmp_path: Path
) -> None:
    classifier = Classifier(http, "suggested-elsewhere")
    classifier.put(classes=["brick"]).raise_for_status()
    exported = tmp_path / "classifier.zip"
    exported.write_bytes(http.get(f"{classifier.url}/export").content)
    ran = invoke(flat, "--classifier", exported, "--backbone", vit)
    assert ran.exit_code == 2, ran.output
    assert "--backbone" in said(ran.output)


def test_negatives_are_registered_and_never_answered(
    support: Path, flat: Path, vit: str, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(support, tmp_path / "with-negatives"))
    (folder / "brick").rename(folder / "not-these")
    found = suggested(flat, "-n", 20, "--support", folder, "--backbone", vit)
    assert "not-these" not in {one["predicted"]["label"] for one in found["suggestions"]}
    [again] = found["duplicates"]
    assert again["file"] == "again.png"
    assert "not-these/0.png" in json.dumps(again)
