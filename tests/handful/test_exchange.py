"""A classifier of a service in Python: read from its file, it answers the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

import handful
from tests.service.client import Classifier
from tests.service.pictures import TEXTURES, patches
from tests.service.server import Server
from tests.tiny_vit import write_tiny_vit


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"local-dir:{write_tiny_vit(tmp_path_factory.mktemp('vit'), 0)}"


def test_a_file_of_a_service_answers_in_python_as_there(vit: str, tmp_path: Path) -> None:
    queries = [patches(texture)[9] for texture in TEXTURES]
    files = {}
    with (
        # PyTorch computes on both sides: engines differ in the last bits.
        Server.ready(tmp_path / "data", backbone=vit, runtime="eager") as server,
        server.client() as http,
    ):
        answers = {}
        kinds: dict[str, dict[str, object]] = {
            "auto": {"coverage": 0.9, "templates": ["a photo of {}"]},
            "nameless": {"names_carry_meaning": False, "method": "tip-adapter++"},
            "named": {"method": "zero-shot"},
        }
        for name, settings in kinds.items():
            there = Classifier(http, name)
            there.put(**settings, classes=["by name alone"]).raise_for_status()
            for texture in TEXTURES:
                there.post(texture, *patches(texture)[:3]).raise_for_status()
            files[name] = tmp_path / f"{name}.zip"
            files[name].write_bytes(http.get(f"{there.url}/export").content)
            answers[name] = there.predictions(*queries, top_k=9)
        server.stop()
    backbone = handful.load_backbone(vit, device="cpu")
    for name, told in answers.items():
        loaded = handful.Classifier.load(files[name], backbone)
        for mine, theirs in zip(loaded.explain(queries), told, strict=True):
            assert mine.label == theirs["label"]
            assert mine.known == theirs["known"]
            assert mine.p_value == pytest.approx(theirs["p_value"], abs=1e-3)
            assert mine.prediction_set == theirs["prediction_set"]
            ranked = {one["label"]: one["probability"] for one in theirs["top_k"]}
            assert mine.probabilities == pytest.approx(ranked, abs=1e-5)
            assert [one.label for one in mine.evidence] == [
                one["label"] for one in theirs["evidence"]
            ]
        # And what Python has read it writes, and reads again.
        loaded.save(tmp_path / "again.zip")
        again = handful.Classifier.load(tmp_path / "again.zip", backbone)
        assert again.explain(queries) == loaded.explain(queries)


@pytest.mark.long
def test_a_service_does_not_take_what_python_saved(vit: str, tmp_path: Path) -> None:
    backbone = handful.load_backbone(vit, device="cpu")
    fitted = handful.Classifier(backbone).fit(patches("brick")[:2], ["brick", "stone"])
    fitted.save(tmp_path / "saved.zip")
    with Server.ready(tmp_path / "data", backbone=vit) as server, server.client() as http:
        refused = http.put(
            "/v1/classifiers/saved/import",
            content=(tmp_path / "saved.zip").read_bytes(),
            headers={"content-type": "application/zip"},
        )
        assert refused.status_code == 422
        assert "does not say of which images" in refused.json()["detail"]
        server.stop()


def test_a_classifier_of_an_older_version_is_read(
    backbone: handful.Backbone, tmp_path: Path
) -> None:
    images = [image for texture in TEXTURES for image in patches(texture)[:3]]
    fitted = handful.Classifier(backbone).fit(images, [t for t in TEXTURES for _ in range(3)])
    inside = fitted._fitted()
    texts = inside.classes.texts
    assert texts is not None
    support = inside.support
    described = {
        "format": "handful-classifier-1",
        "backbone": backbone.name,
        "fingerprint": backbone.fingerprint,
        "settings": fitted.settings.model_dump(),
        "classes": list(TEXTURES),
        "tuning": inside.tuning.as_dict(),
    }
    tensors = {
        "frozen": support.embeddings.frozen.contiguous(),
        "corrected": support.embeddings.corrected.contiguous(),
        "labels": support.labels.contiguous(),
        "texts": texts.contiguous(),
    }
    save_file(tensors, tmp_path / "old.safetensors", {"handful": json.dumps(described)})
    loaded = handful.Classifier.load(tmp_path / "old.safetensors", backbone)
    queries = [patches(texture)[9] for texture in TEXTURES]
    assert loaded.explain(queries) == fitted.explain(queries)


def test_a_damaged_file_says_what_is_wrong(backbone: handful.Backbone, tmp_path: Path) -> None:
    handful.Classifier(backbone).fit(patches("brick")[:2], ["a", "b"]).save(tmp_path / "a.zip")
    whole = (tmp_path / "a.zip").read_bytes()
    for damaged in (whole[:-9], whole[:100], whole.replace(b"handful-classifier-2", b"h" * 20)):
        (tmp_path / "b.zip").write_bytes(damaged)
        with pytest.raises(handful.SavedClassifierError, match=r"b\.zip cannot be read"):
            handful.Classifier.load(tmp_path / "b.zip", backbone)
