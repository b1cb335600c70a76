"""What can stand behind the pooling in closed form, from cached features of generic images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from adapters.backbones.framing import Framing
from adapters.backbones.lite.tower_weights import image_tower_state
from adapters.engines import ImagePass, openvino
from adapters.loading import load_correction, load_dual_encoder
from benchmarks.lite_adapter import cache
from benchmarks.lite_adapter.cache import CROPS, VIEWS, Cached
from benchmarks.lite_adapter.judge import Embed
from benchmarks.lite_adapter.pooled_map import MapSettings, pooled_map

JOINT, POOLED = "joint.npy", "pooled.npy"
WIDTH, JOINT_WIDTH = 1280, 512


class _RawPass(ImagePass):
    """A pass that gives both embeddings as long as the tower makes them."""

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Embed (n, H, W, 3) uint8 pixels."""
        return self.raw(pixels)


def make(folder: Path, out: Path, adapter: Path, workers: int) -> None:
    """Compute the joint embedding and what the trunk with an adapter pools, of all views."""
    classes, files = cache.listed(folder)
    encoder = load_dual_encoder("lite")
    framing = Framing(encoder.preprocess)
    correction = load_correction(encoder, str(adapter))
    both = _RawPass(encoder.visual, correction, framing.mean, framing.std).eval()
    model = openvino.convert(both, 224, 224)
    run = openvino.Compiled(model, "float32", streams=1, threads=torch.get_num_threads())
    out.mkdir(parents=True, exist_ok=True)
    cache.write_index(out, classes, files)
    shape = (len(files), VIEWS + len(cache.JUDGED))
    kept = [
        np.lib.format.open_memmap(out / name, "w+", np.float16, (*shape, width))
        for name, width in ((JOINT, JOINT_WIDTH), (POOLED, WIDTH))
    ]
    views = cache.Views([file for file, _ in files], cache.lite_tower())
    for number, pixels in DataLoader(views, batch_size=None, num_workers=workers):
        for array, rows in zip(kept, run(pixels), strict=True):
            array[number] = rows.half()
    for array in kept:
        array.flush()


def read(folder: Path, name: str) -> Cached:
    """Read one of the files that `make` wrote."""
    labels, classes = cache.read_index(folder)
    return Cached(np.load(folder / name, mmap_mode="r"), labels, classes)


@dataclass(frozen=True)
class Learned:
    """What a closed form is made from.

    Attributes:
        plain: (n, width) features of the images.
        views: (n, views, width) of what training draws of them.
        labels: (n,) classes.
        rows: (classes, width) of the tower's own classifier, less their mean.
    """

    plain: Tensor
    views: Tensor
    labels: Tensor
    rows: Tensor

    @classmethod
    def of(cls, images: Cached, learned: Tensor) -> Learned:
        """Of the images of a cut that are learned from."""
        views = torch.stack([images.view(learned, view) for view in range(VIEWS)], dim=1)
        rows = image_tower_state()["classifier.weight"].float()
        return cls(views[:, 0], views, images.labels[learned], rows - rows.mean(dim=0))


def power(matrix: Tensor, exponent: float, ridge: float) -> Tensor:
    """A power of a symmetric matrix in units of its mean eigenvalue, a ridge added to it."""
    values, vectors = torch.linalg.eigh(matrix / matrix.diagonal().mean())
    powers: Tensor = (vectors * (values.clamp(min=0) + ridge) ** exponent) @ vectors.T
    return powers


def centred(learned: Learned, part: float) -> Embed:
    """Less a part of the mean."""
    mean = part * learned.plain.mean(dim=0)
    return lambda features: features - mean


def whitened(learned: Learned, groups: str, ridge: float) -> Embed:
    """Directions in which views of an image, or images of a class, differ count less."""
    if groups == "views":
        apart = (learned.views - learned.views.mean(dim=1, keepdim=True)).flatten(0, 1)
    else:
        apart = torch.cat(list(_within(learned)))
    less = power(apart.T @ apart, -0.5, ridge)
    mean = learned.plain.mean(dim=0)
    return lambda features: (features - mean) @ less


def _within(learned: Learned) -> Iterable[Tensor]:
    for label in learned.labels.unique():
        some = learned.views[learned.labels == label]
        if len(some) > 1:
            some = some.flatten(0, 1)
            yield some - some.mean(dim=0)


def weighed(learned: Learned, exponent: float) -> Embed:
    """Directions count as the classifier's rows are spread."""
    more = power(learned.rows.T @ learned.rows, exponent, 0.1)
    mean = 0.5 * learned.plain.mean(dim=0)
    return lambda features: (features - mean) @ more


def drawn(learned: Learned, threshold: float, strength: float) -> Embed:
    """Images that the classifier recognises are drawn towards what it recognises.

    What stands out of the logits of generic images, by so many of their standard deviations, draws;
    the mean length of that is the strength, against the images' own.
    """
    mean = learned.plain.mean(dim=0)
    down = learned.rows
    up = down @ power(down.T @ down, 0.25, 0.03)
    logits = (learned.plain - mean) @ down.T
    least = threshold * logits.std()
    length = (learned.plain - mean / 2).norm(dim=1).mean()
    gain = strength * length / (torch.relu(logits - least) @ up).norm(dim=1).mean()
    return lambda x: x - mean / 2 + gain * torch.relu((x - mean) @ down.T - least) @ up


def mapped(learned: Learned, exponent: float) -> Embed:
    """As :mod:`benchmarks.lite_adapter.pooled_map` makes it."""
    restyled = learned.views[:, 1 + CROPS]
    return pooled_map(learned.plain, restyled, learned.rows, MapSettings(power=exponent))


CLOSED_FORMS: Mapping[str, Callable[[Learned], Embed]] = {
    "half of the mean taken off": partial(centred, part=0.5),
    "the mean taken off": partial(centred, part=1.0),
    "within-class whitening": partial(whitened, groups="classes", ridge=1.0),
    "whitening of views": partial(whitened, groups="views", ridge=1.0),
    "spread of the classifier's rows": partial(weighed, exponent=0.25),
    "drawn, threshold 2, strength 0.5": partial(drawn, threshold=2.0, strength=0.5),
    "drawn, threshold 3, strength 0.25": partial(drawn, threshold=3.0, strength=0.25),
    "drawn, threshold 5, strength 0.25": partial(drawn, threshold=5.0, strength=0.25),
    "drawn, threshold 5, strength 0.4": partial(drawn, threshold=5.0, strength=0.4),
    "map, power 0": partial(mapped, exponent=0.0),
    "map, power 0.1": partial(mapped, exponent=0.1),
    "map, power 0.2": partial(mapped, exponent=0.2),
    "map, power 0.3": partial(mapped, exponent=0.3),
}
