"""Towers that several learned prompts share: a row is of its own image and prompts alone."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor

from adapters.corrections.bottleneck import attach, load_adapter, save_adapter, tower_fingerprint
from adapters.engines import openvino
from adapters.loading import load_backbone, load_dual_encoder, load_shared_towers
from adapters.prompts import PromptError, load_prompts
from adapters.prompts.prompted_encoder import PromptedEncoder
from adapters.prompts.shared_towers import SharedTowers
from tests.learned_prompts import write_prompts
from tests.small_clip import write_small_clip
from tests.tiny_vit import write_tiny_vit

PIXELS = torch.randint(
    0, 256, (6, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
SHAPES: tuple[dict[str, int], ...] = ({}, {}, {"depth": 3, "length": 1})


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_small_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def files(name: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("prompts")
    return [write_prompts(folder / str(i), name, i, **one) for i, one in enumerate(SHAPES)]


@pytest.fixture(scope="module", params=[False, True], ids=["eager", "compiled"])
def shared(name: str, request: pytest.FixtureRequest) -> SharedTowers:
    return load_shared_towers(name, "cpu", compiles=request.param)


def encoder(shared: SharedTowers, file: Path) -> PromptedEncoder:
    return PromptedEncoder(shared, load_prompts(file), "it", "f" * 64)


def test_each_embeds_as_a_backbone_with_its_prompts(
    name: str, files: list[Path], shared: SharedTowers
) -> None:
    for file in files:
        own, other = encoder(shared, file), load_backbone(name, "cpu", prompts=file)
        found, expected = own.encode_images(PIXELS), other.encode_images(PIXELS)
        torch.testing.assert_close(found.frozen, expected.frozen, rtol=0, atol=1e-5)
        texts = own.encode_classes(["owl", "SeaLake"], ["a drawing of {}"])
        assert torch.equal(texts, other.encode_classes(["owl", "SeaLake"]))
        assert (own.logit_scale, own.width, own.corrected_width, own.templates) == (
            other.logit_scale,
            other.width,
            other.corrected_width,
            other.templates,
        )


def test_a_row_does_not_depend_on_its_neighbours(files: list[Path], shared: SharedTowers) -> None:
    every = [encoder(shared, file) for file in files]
    of = [every[i] for i in (0, 2, 1, 0, 1, 2)]
    found = shared.embed(list(PIXELS), [one.vision for one in of])
    for row, one in enumerate(of):
        alone = one.encode_images(PIXELS[row : row + 1])
        torch.testing.assert_close(found.frozen[row : row + 1], alone.frozen, rtol=0, atol=1e-6)
    assert not torch.allclose(found.frozen[0], every[1].encode_images(PIXELS[:1]).frozen[0])


def test_fingerprints_tell_prompts_and_models_apart(
    files: list[Path], shared: SharedTowers
) -> None:
    trained = [load_prompts(file) for file in files]
    made = {
        PromptedEncoder(shared, one, "it", model).fingerprint for one in trained for model in "ab"
    }
    assert len(made) == 6
    assert encoder(shared, files[0]).fingerprint == encoder(shared, files[0]).fingerprint


def test_an_adapter_works_on_the_prompted_tower(
    name: str, files: list[Path], tmp_path: Path
) -> None:
    tower = load_dual_encoder(name).visual
    adapter = attach(tower)
    with torch.no_grad():
        adapter.layers[0].get_submodule("up").get_parameter("weight").normal_()
    path = tmp_path / "adapter.safetensors"
    adapter.detach()
    save_adapter(path, adapter, backbone=name, fingerprint=tower_fingerprint(tower), made={})
    assert load_adapter(path, tower, name)
    other = load_backbone(name, "cpu", prompts=files[0], adapter=str(path))
    expected = other.encode_images(PIXELS)
    for compiles in (False, True):
        shared = load_shared_towers(name, "cpu", adapter=str(path), compiles=compiles)
        one, two = encoder(shared, files[0]), encoder(shared, files[1])
        found = shared.embed(list(PIXELS), [one.vision, two.vision] * 3)
        for view in ("frozen", "corrected"):
            rows, wanted = getattr(found, view)[::2], getattr(expected, view)[::2]
            torch.testing.assert_close(rows, wanted, rtol=0, atol=1e-5)
    assert not torch.allclose(expected.frozen, expected.corrected, atol=1e-3)


def test_what_cannot_be_compiled_is_computed_by_pytorch(
    name: str, files: list[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> Tensor:
        raise RuntimeError("no such operation")

    expected = encoder(load_shared_towers(name, "cpu"), files[0]).encode_images(PIXELS)
    monkeypatch.setattr(openvino, "convert_prompted", broken)
    with caplog.at_level(logging.WARNING):
        found = encoder(load_shared_towers(name, "cpu", compiles=True), files[0])
    assert "no such operation" in caplog.text
    assert torch.equal(found.encode_images(PIXELS).frozen, expected.frozen)


def test_prompts_of_another_model_and_towers_of_another_kind_are_refused(
    files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = f"local-dir:{write_tiny_vit(tmp_path / 'other')}"
    with pytest.raises(PromptError, match=f"handful train comma --backbone {other}"):
        encoder(load_shared_towers(other, "cpu"), files[0])
    with pytest.raises(PromptError, match=r"of this one is a .* of timm"):
        load_shared_towers("lite", "cpu")
