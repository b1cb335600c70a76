"""Which correction a backbone gets, and what may be done with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from adapters.backbones import DualEncoder
from adapters.backbones.lite.model import build_lite
from adapters.corrections import NO_ADAPTER, BeforeProjection, Uncorrected
from adapters.corrections.bottleneck import (
    Adapted,
    AdaptedBeforeProjection,
    attach,
    save_adapter,
    tower_fingerprint,
)
from adapters.loading import load_correction, load_dual_encoder
from tests.tiny_vit import write_tiny_vit


@pytest.fixture(scope="module")
def lite() -> DualEncoder:
    return build_lite()


@pytest.fixture
def vit(tmp_path: Path) -> DualEncoder:
    return load_dual_encoder(f"local-dir:{write_tiny_vit(tmp_path)}")


def test_lite_is_corrected_by_its_own_adapter(lite: DualEncoder) -> None:
    correction = load_correction(lite)
    assert isinstance(correction, AdaptedBeforeProjection)
    correction.adapter.detach()


def test_lite_without_an_adapter_is_compared_before_the_projection(lite: DualEncoder) -> None:
    assert isinstance(load_correction(lite, NO_ADAPTER), BeforeProjection)


@pytest.mark.parametrize("adapter", [None, NO_ADAPTER])
def test_another_backbone_is_not_corrected(vit: DualEncoder, adapter: str | None) -> None:
    assert isinstance(load_correction(vit, adapter), Uncorrected)


def test_a_trained_adapter_corrects_another_backbone(vit: DualEncoder, tmp_path: Path) -> None:
    adapter = attach(vit.visual)
    fingerprint = tower_fingerprint(vit.visual)
    path = tmp_path / "adapter.safetensors"
    save_adapter(path, adapter, backbone=vit.name, fingerprint=fingerprint, made={})
    adapter.detach()
    assert isinstance(load_correction(vit, str(path)), Adapted)


def test_the_corrected_tower_gives_the_corrected_embedding(lite: DualEncoder) -> None:
    pixels = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        _, corrected = BeforeProjection().embed(lite.visual.eval(), pixels)
        torch.testing.assert_close(lite.corrected_tower(pixels), corrected)


def test_lite_takes_neither_fine_tuning_nor_prompts(lite: DualEncoder, vit: DualEncoder) -> None:
    assert (lite.fine_tunable, lite.promptable) == (False, False)
    assert (vit.fine_tunable, vit.promptable) == (True, True)
