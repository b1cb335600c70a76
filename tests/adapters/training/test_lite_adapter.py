"""The adapter that ships with `lite`: whole, its own, and of use on pictures it never saw."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from adapters.backbones import Backbone
from adapters.backbones.lite import ADAPTER
from adapters.corrections.bottleneck import training_record
from adapters.loading import load_backbone
from adapters.training.methods.imo.styles import lines, pencil

PHOTOS = (
    "astronaut.png",
    "camera.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)


@pytest.fixture(scope="module")
def backbones() -> tuple[Backbone, Backbone]:
    """`lite` as it ships, and without its adapter."""
    return load_backbone("lite", "cpu"), load_backbone("lite", "cpu", adapter="none")


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    """Photos that come with scikit-image: a cat, coins, a rocket, cells."""
    folder = Path(str(find_spec("skimage").submodule_search_locations[0])) / "data"
    return [Image.open(folder / name).convert("RGB").resize((224, 224)) for name in PHOTOS]


def test_the_file_is_the_one_its_record_tells_of() -> None:
    provenance = json.loads(ADAPTER.with_suffix(".json").read_text("utf-8"))
    assert hashlib.sha256(ADAPTER.read_bytes()).hexdigest() == provenance["sha256"]
    made = training_record(ADAPTER)
    assert made["objective"] == provenance["objective"] == "distillation"
    assert made["data"]["name"] == "generic"
    assert made["data"]["digest"] == provenance["data"]["digest"]


def test_lite_uses_it_unless_told_not_to(backbones: tuple[Backbone, Backbone]) -> None:
    shipped, without = backbones
    assert shipped.correction.name.startswith("bottleneck ")
    assert without.correction.name == "before-projection"
    assert shipped.fingerprint != without.fingerprint
    assert (shipped.width, shipped.corrected_width) == (without.width, without.corrected_width)


def test_the_frozen_embedding_is_as_without(
    backbones: tuple[Backbone, Backbone], photos: list[Image.Image]
) -> None:
    shipped, without = (_embedded(backbone, photos[:4]) for backbone in backbones)
    torch.testing.assert_close(shipped[0], without[0], atol=1e-5, rtol=0)
    assert (shipped[1] - without[1]).norm(dim=1).min() > 0.01


def test_a_drawing_is_nearer_to_its_photo(
    backbones: tuple[Backbone, Backbone], photos: list[Image.Image]
) -> None:
    torch.manual_seed(0)
    for style in (pencil, lines):
        drawn = [style(photo) for photo in photos]
        # How much more a drawing is like its own photo than like the others.
        told = []
        for backbone in backbones:
            cosines = _embedded(backbone, drawn)[1] @ _embedded(backbone, photos)[1].T
            others = (cosines.sum(dim=1) - cosines.diag()) / (len(photos) - 1)
            told.append((cosines.diag() - others).mean().item())
        assert told[0] > told[1]


def test_without_the_file_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="there is no adapter"):
        load_backbone("lite", "cpu", adapter=str(tmp_path / "adapter.safetensors"))


def _embedded(backbone: Backbone, images: list[Image.Image]) -> tuple[Tensor, Tensor]:
    both = backbone.encode_images(torch.stack([backbone.preprocess(image) for image in images]))
    return both.frozen, both.corrected


def test_passes_of_many_threads_do_not_mix(
    backbones: tuple[Backbone, Backbone], photos: list[Image.Image]
) -> None:
    shipped = backbones[0]
    alone = [_embedded(shipped, [photo]) for photo in photos[:6]]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(lambda photo: _embedded(shipped, [photo]), photos[:6]))
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
