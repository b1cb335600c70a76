"""Training data: draws, and images that cannot be read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms.v2.functional import pil_to_tensor

from adapters.training.errors import DataError
from adapters.training.order import Shuffled, Turn
from adapters.training.pictures import Pictures
from adapters.training.reservoir import Reservoir
from tests.coloured import COLOURS, coloured_images, write_coloured
from tests.reading import READ


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coloured(tmp_path_factory.mktemp("coloured"), 6)


def test_a_draw_gives_each_item_the_same_chance() -> None:
    counts: Counter[int] = Counter()
    for seed in range(2000):
        kept: Reservoir[int] = Reservoir(3, seed)
        for item in range(12):
            kept.add("a", item)
        counts.update(item for _, item in kept)
    assert counts.total() == 6000
    # 500 expected each; the standard deviation is 19.
    assert all(400 < counts[item] < 600 for item in range(12))


def test_a_draw_of_a_class_does_not_depend_on_the_others() -> None:
    alone: Reservoir[int] = Reservoir(2, 0)
    among: Reservoir[int] = Reservoir(2, 0)
    for item in range(50):
        alone.add("b", item)
        among.add("a", item)
        among.add("b", item)
    assert list(alone) == [(label, item) for label, item in among if label == "b"]


def noisy(image: Image.Image) -> tuple[torch.Tensor, ...]:
    return (pil_to_tensor(image).float().mean() + torch.rand(()),)


def test_examples_depend_on_the_seed_and_their_turn_alone(coloured: Path) -> None:
    data = coloured_images(coloured)
    pictures = Pictures(data, noisy, read=READ, seed=3, side=64, labelled=True)
    state = torch.get_rng_state()
    first = pictures[Turn(5, 0)]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    again = Pictures(data, noisy, read=READ, seed=3, side=64, labelled=True)[Turn(5, 0)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[1] == data.labels[5]
    assert pictures[Turn(5, 1)][0] != first[0]
    assert (
        Pictures(data, noisy, read=READ, seed=4, side=64, labelled=True)[Turn(5, 0)][0] != first[0]
    )
    assert len(Pictures(data, noisy, read=READ, seed=3, side=64, labelled=False)[Turn(5, 0)]) == 1


def test_broken_images_are_replaced_and_noted_even_by_workers(tmp_path: Path) -> None:
    write_coloured(tmp_path, 4)
    broken = [tmp_path / "red" / "0.png", tmp_path / "blue" / "3.png"]
    broken[0].write_bytes(b"no image")
    broken[1].write_bytes(broken[1].read_bytes()[:300])
    data = coloured_images(tmp_path)
    found = []
    for workers in (0, 2):
        pictures = Pictures(data, noisy, read=READ, seed=0, side=64, labelled=True)
        loader: DataLoader[list[torch.Tensor]] = DataLoader(
            pictures,  # type: ignore[arg-type]
            batch_size=4,
            sampler=Shuffled(len(data), 0),
            num_workers=workers,
        )
        batches = list(loader)
        found.append([torch.cat(column) for column in zip(*batches, strict=True)])
        assert len(found[-1][0]) == 12
        assert sorted(pictures.broken) == sorted(broken)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_a_label_belongs_to_the_image_that_replaced_another(tmp_path: Path) -> None:
    write_coloured(tmp_path, 2, noise=0.0)
    for path in (tmp_path / "red").iterdir():
        path.write_bytes(b"")
    data = coloured_images(tmp_path)

    def colour(image: Image.Image) -> tuple[torch.Tensor, ...]:
        return (pil_to_tensor(image)[:, 0, 0],)

    pictures = Pictures(data, colour, read=READ, seed=0, side=64, labelled=True)
    for number in range(len(data)):
        pixel, label = pictures[Turn(number, 0)]
        assert tuple(pixel.tolist()) == COLOURS[data.classes[int(label)]]


def test_a_disk_that_is_gone_ends_the_run(tmp_path: Path) -> None:
    data = coloured_images(write_coloured(tmp_path, 2))
    for path in data.paths:
        path.unlink()
    with pytest.raises(DataError, match="one after the other cannot be read"):
        Pictures(data, noisy, read=READ, seed=0, side=64, labelled=True)[Turn(0, 0)]


def test_images_are_turned_as_exif_says_and_become_rgb(tmp_path: Path) -> None:
    pixels = np.zeros((40, 80, 3), "uint8")
    pixels[:, :40] = 255
    photo = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees to the right when shown
    photo.save(tmp_path / "turned.jpg", exif=exif)
    read = READ((tmp_path / "turned.jpg").read_bytes(), 1000)
    assert read.size == (40, 80)
    assert read.getpixel((20, 5))[0] > 200  # type: ignore[index]
    assert read.getpixel((20, 75))[0] < 50  # type: ignore[index]
    for mode in ("L", "P", "RGBA", "CMYK", "I;16", "1"):
        path = tmp_path / f"{mode.replace(';', '')}.tiff"
        Image.new(mode, (9, 9)).save(path)
        assert READ(path.read_bytes(), 4).mode == "RGB"


def test_large_photos_are_decoded_smaller_but_never_too_small(tmp_path: Path) -> None:
    Image.new("RGB", (1024, 768)).save(tmp_path / "photo.jpg")
    assert READ((tmp_path / "photo.jpg").read_bytes(), 192).size == (256, 192)
    assert READ((tmp_path / "photo.jpg").read_bytes(), 200).size == (512, 384)
    assert READ((tmp_path / "photo.jpg").read_bytes(), 448).size == (1024, 768)
    assert READ((tmp_path / "photo.jpg").read_bytes(), 384).size == (512, 384)
