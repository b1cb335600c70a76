"""A saved classifier is loaded in the recipe that it was made in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import handful
from adapters import loading
from adapters.backbones import Backbone, DualEncoder
from adapters.recipe import Recipe, new_recipe
from service.encoder import load_encoder
from service.settings import Settings
from tests.service.pictures import picture
from tests.tiny_vit import write_tiny_vit


@pytest.fixture
def vit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HANDFUL_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "vit").mkdir()
    return f"local-dir:{write_tiny_vit(tmp_path / 'vit')}"


def saved(backbone: Backbone, path: Path) -> handful.Classifier:
    made = handful.Classifier(backbone).fit([picture(1), picture(11)], ["ant", "bee"])
    made.save(path)
    return made


def test_a_classifier_in_bfloat16_is_loaded_in_bfloat16(vit: str, tmp_path: Path) -> None:
    half = handful.load_backbone(vit, device="cpu", precision="bfloat16")
    exact = handful.load_backbone(vit, device="cpu")
    assert half.fingerprint != exact.fingerprint
    made = saved(half, tmp_path / "made")
    loaded = handful.Classifier.load(tmp_path / "made")
    assert loaded.backbone.recipe == half.recipe
    queries = [picture(3)]
    np.testing.assert_allclose(
        loaded.predict_proba(queries), made.predict_proba(queries), atol=1e-5
    )
    with pytest.raises(handful.SavedClassifierError, match="precision='bfloat16'"):
        handful.Classifier.load(tmp_path / "made", exact)


def test_a_precision_brings_the_resizing_that_it_brings_to_a_new_database(vit: str) -> None:
    assert handful.load_backbone(vit, device="cpu").recipe == Recipe("float32", "pillow")
    half = handful.load_backbone(vit, device="cpu", precision="bfloat16")
    assert half.recipe == Recipe("bfloat16", "antialias")
    served = load_encoder(Settings(backbone=vit, device="cpu", precision="bfloat16"))
    assert half.fingerprint == served.fingerprint


def test_a_file_of_another_recipe_is_loaded_in_that_one_at_once(
    vit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = loading.load_backbone(vit, "cpu", recipe=Recipe("bfloat16", "pillow"))
    saved(earlier, tmp_path / "made")
    loads: list[str] = []
    load_dual_encoder: Callable[[str], DualEncoder] = loading.load_dual_encoder

    def counted(name: str) -> DualEncoder:
        loads.append(name)
        return load_dual_encoder(name)

    monkeypatch.setattr(loading, "load_dual_encoder", counted)
    assert handful.Classifier.load(tmp_path / "made").backbone.recipe == earlier.recipe
    assert loads == [vit]
    half = handful.load_backbone(vit, device="cpu", precision="bfloat16")
    with pytest.raises(handful.SavedClassifierError, match="resized by pillow") as refused:
        handful.Classifier.load(tmp_path / "made", half)
    assert "load_backbone" not in str(refused.value)
    assert new_recipe("bfloat16") == half.recipe
