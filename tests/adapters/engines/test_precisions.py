"""Precisions: what is computed where a processor or a package lacks what they need."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from adapters.backbones import Backbone
from adapters.engines import precisions, quantisation
from adapters.engines.agreement import likeness
from adapters.engines.selection import fastest
from adapters.loading import load_backbone
from adapters.recipe import Precision, Recipe
from tests.tiny_vit import write_tiny_vit

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"local-dir:{write_tiny_vit(tmp_path_factory.mktemp('vit'))}"


def compiled(vit: str, precision: Precision, cache: Path | None = None) -> Backbone:
    return load_backbone(
        vit, "cpu", make_engine=partial(fastest, cache=cache), recipe=Recipe(precision)
    )


def rows(backbone: Backbone) -> torch.Tensor:
    pixels = torch.randint(0, 256, (4, 32, 32, 3), generator=torch.Generator().manual_seed(0))
    return backbone.encode_images(pixels.to(torch.uint8)).frozen


@pytest.mark.long
@pytest.mark.parametrize("limit", ["AVX2", "AVX512_CORE"])
def test_a_lesser_processor_embeds_in_float32_in_the_place_of_bfloat16(
    limit: str, vit: str, tmp_path: Path
) -> None:
    code = f"""
import logging, torch
logging.basicConfig(level=logging.WARNING)
from tests.adapters.engines.test_precisions import compiled, rows
backbone = compiled({vit!r}, "bfloat16")
assert backbone.recipe.precision == "bfloat16"
torch.save((rows(backbone), backbone.fingerprint), {str(tmp_path / "rows.pt")!r})
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": limit, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "in float32 in the place of bfloat16" in ended.stderr
    found, fingerprint = torch.load(tmp_path / "rows.pt")
    exact = compiled(vit, "float32")
    torch.testing.assert_close(found, rows(exact), atol=1e-5, rtol=0)
    # The recipe stays that of the database, on any machine.
    assert fingerprint == Recipe("bfloat16").fingerprint(exact.model_fingerprint)


@pytest.mark.skipif(not precisions.has_bfloat16(), reason="the processor has no bfloat16")
def test_bfloat16_is_computed_where_the_processor_has_it(vit: str) -> None:
    half, exact = rows(compiled(vit, "bfloat16")), rows(compiled(vit, "float32"))
    assert not torch.allclose(half, exact, atol=1e-5)
    assert float(likeness(half, exact, "bfloat16")) > 0.99


def test_without_nncf_float32_stands_in_for_int8(
    vit: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(precisions, "can_quantise", lambda: False)
    with caplog.at_level(logging.WARNING):
        found = rows(compiled(vit, "int8"))
    assert "pip install 'handful[int8]'" in caplog.text
    torch.testing.assert_close(found, rows(compiled(vit, "float32")), atol=1e-5, rtol=0)


@pytest.mark.long
def test_a_quantised_model_is_kept_and_serves_without_nncf(
    vit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("nncf")
    first = rows(compiled(vit, "int8", tmp_path))
    exact = rows(compiled(vit, "float32", tmp_path))
    assert not torch.allclose(first, exact, atol=1e-5)
    assert float(likeness(first, exact, "int8")) > 0.8
    monkeypatch.setattr(precisions, "can_quantise", lambda: False)
    monkeypatch.setattr(quantisation, "quantised", None)
    with caplog.at_level(logging.WARNING):
        torch.testing.assert_close(rows(compiled(vit, "int8", tmp_path)), first)
    assert not [one for one in caplog.records if one.name.startswith("handful")]


def test_rounding_is_judged_by_the_median_and_float32_by_the_worst() -> None:
    wanted = torch.eye(4)[:3]
    found = wanted.clone()
    found[2] = torch.eye(4)[3]
    assert float(likeness(found, wanted)) == 0
    assert float(likeness(found, wanted, "bfloat16")) == 1
    found[0, 0] = torch.nan
    assert torch.isnan(likeness(found, wanted, "bfloat16"))


def test_pytorch_embeds_every_precision_in_float32(
    vit: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = load_backbone(vit, "cpu", recipe=Recipe("int8"))
    assert "in float32 in the place of int8" in caplog.text
    torch.testing.assert_close(rows(found), rows(load_backbone(vit, "cpu")))
