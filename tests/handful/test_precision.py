"""A saved classifier is loaded in the precision that it was made in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import handful
from tests.service.pictures import picture
from tests.tiny_vit import write_tiny_vit


def test_a_classifier_in_bfloat16_is_loaded_in_bfloat16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDFUL_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "vit").mkdir()
    vit = f"local-dir:{write_tiny_vit(tmp_path / 'vit')}"
    half = handful.load_backbone(vit, device="cpu", precision="bfloat16")
    exact = handful.load_backbone(vit, device="cpu")
    assert half.fingerprint != exact.fingerprint
    made = handful.Classifier(half).fit([picture(1), picture(11)], ["ant", "bee"])
    made.save(tmp_path / "made")
    loaded = handful.Classifier.load(tmp_path / "made")
    assert loaded.backbone.recipe.precision == "bfloat16"
    queries = [picture(3)]
    np.testing.assert_allclose(
        loaded.predict_proba(queries), made.predict_proba(queries), atol=1e-5
    )
    with pytest.raises(handful.SavedClassifierError, match="precision='bfloat16'"):
        handful.Classifier.load(tmp_path / "made", exact)
