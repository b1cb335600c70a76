"""Pictures framed on a device are those that Pillow frames."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor
from torchvision.transforms import InterpolationMode as Mode

from adapters.backbones import device_framing
from adapters.backbones.device_framing import DeviceFraming, on_device
from adapters.backbones.framing import Framing
from adapters.loading import load_backbone, load_dual_encoder
from tests.gpu import needs_gpu

CPU = torch.device("cpu")
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "brick", "text", "page")


def photo(name: str) -> Image.Image:
    return Image.fromarray(getattr(skimage.data, name)()).convert("RGB")


def framing(*steps: Any) -> Framing:
    return Framing(Compose([*steps, ToTensor(), Normalize((0.5,) * 3, (0.5,) * 3)]))


def usual(side: int = 224) -> Framing:
    return framing(Resize(side, interpolation=Mode.BICUBIC), CenterCrop(side))


def apart(found: Tensor, wanted: Tensor) -> Tensor:
    assert found.shape == wanted.shape
    assert found.dtype == torch.uint8
    return (found.cpu().int() - wanted.int()).abs()


@pytest.mark.parametrize("name", PHOTOS)
def test_pixels_are_pillows_but_for_a_level(name: str) -> None:
    host, image = usual(), photo(name)
    framed = DeviceFraming(host, CPU)
    for picture in (image, image.rotate(90, expand=True), image.resize((301, 224))):
        levels = apart(framed(picture), host(picture))
        assert levels.max() <= 1
        assert float(levels.float().mean()) < 0.005


@pytest.mark.parametrize("size", [(224, 224), (40, 40), (223, 224), (225, 700), (1, 9), (500, 333)])
def test_pictures_of_any_size_are_framed(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    assert apart(DeviceFraming(usual(), CPU)(image), usual()(image)).max() <= 1


def test_embeddings_of_device_framed_images_agree_with_pillow() -> None:
    backbone = load_backbone("lite", "cpu")
    framed = DeviceFraming(Framing(load_dual_encoder("lite").preprocess), CPU)
    images = [photo(name) for name in PHOTOS]
    here, there = (
        backbone.encode_images(torch.stack([way(image) for image in images]))
        for way in (backbone.preprocess, framed)
    )
    for name in ("frozen", "corrected"):
        cosines = (getattr(here, name) * getattr(there, name)).sum(dim=1)
        assert float(cosines.min()) > 0.9995


def test_a_strip_too_large_for_the_device_is_framed_by_pillow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object, **__: object) -> Tensor:
        raise AssertionError("resized on the device")

    monkeypatch.setattr(device_framing, "interpolate", fails)
    strip = Image.linear_gradient("L").convert("RGB").resize((20_000, 230))
    assert torch.equal(DeviceFraming(usual(), CPU)(strip), usual()(strip))
    # One that is small, and would be large once it is resized.
    thin = strip.resize((2_000, 10))
    assert torch.equal(DeviceFraming(usual(), CPU)(thin), usual()(thin))
    with pytest.raises(AssertionError, match="on the device"):
        DeviceFraming(usual(), CPU)(strip.resize((400, 300)))


@pytest.mark.parametrize(
    "steps",
    [
        [Resize((224, 224), interpolation=Mode.BICUBIC)],
        [Resize((224, 224), interpolation=Mode.BICUBIC), CenterCrop(224)],
        [Resize(224), CenterCrop(224)],
        [Resize(224, max_size=300, interpolation=Mode.BICUBIC), CenterCrop(224)],
        [Resize(200, interpolation=Mode.BICUBIC), CenterCrop(224)],
        [CenterCrop(224)],
    ],
    ids=["squash", "both sides", "bilinear", "longest", "padded", "cut out alone"],
)
def test_other_geometries_stay_with_pillow(steps: list[Callable[..., Any]]) -> None:
    with pytest.raises(ValueError, match="not to resize"):
        DeviceFraming(framing(*steps), CPU)
    host = framing(*steps)
    assert on_device(host, torch.device("cuda")) is host


def test_a_processor_frames_with_pillow_and_a_gpu_by_itself() -> None:
    host = usual()
    assert on_device(host, CPU) is host
    assert isinstance(on_device(host, torch.device("cuda")), DeviceFraming)
    assert isinstance(
        on_device(Framing(load_dual_encoder("lite").preprocess), torch.device("cuda")),
        DeviceFraming,
    )


@needs_gpu
def test_a_gpu_frames_as_pillow_does_in_many_threads() -> None:
    framed = DeviceFraming(usual(), torch.device("cuda"))
    images = [
        photo(name).rotate(angle, expand=True) for name in PHOTOS for angle in (0, 90, 180, 270)
    ]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(5):
            found = list(threads.map(framed, images))
            assert all(pixels.is_cuda for pixels in found)
            # Read on another stream than they were made on, as the encoder does.
            for pixels, image in zip(torch.stack(found).cpu(), images, strict=True):
                levels = apart(pixels, usual()(image))
                assert levels.max() <= 1
                assert float(levels.float().mean()) < 0.01
