"""The search for the adapter of `lite`: nothing that it judges on is learned from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adapters.training.order import Turn
from benchmarks.lite_adapter.cache import (
    CROPS,
    JUDGED,
    VIEWS,
    Cached,
    FromBlock,
    UpToBlock,
    lite_tower,
)
from benchmarks.lite_adapter.cuts import Examples, cut
from benchmarks.lite_adapter.groups import BROAD
from benchmarks.lite_adapter.judge import overlap_in_tasks

SINGLE = [f"n{number:08d}" for number in range(1000)]
MANY = [f"kind {number}" for number in range(20)]


def cached() -> Cached:
    """Two images of each of 20 classes, and one of each of 1000; a view's number in its values."""
    labels = [*range(1000), *(1000 + i for i in range(20) for _ in range(2))]
    views = np.arange(VIEWS + len(JUDGED), dtype=np.float16)
    features = np.broadcast_to(views[:, None, None, None], (len(labels), len(views), 2, 1, 1))
    return Cached(features, torch.tensor(labels), [*SINGLE, *MANY])


def test_groups_have_no_class_in_common() -> None:
    every = [number for numbers in BROAD.values() for number in numbers]
    assert len(set(every)) == len(every)
    assert set(every) <= set(range(1000))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_class_is_learned_that_is_judged_on(seed: int) -> None:
    images = cached()
    found = cut(images, seed)
    learned = set(images.labels[found.learned].tolist())
    fine, broad = (images.labels[rows] for rows, _ in (found.fine, found.broad))
    assert not learned & {*fine.tolist(), *broad.tolist()}
    assert len(fine.unique()) == 8
    assert len(learned) == 500 + 12
    groups = list(BROAD.values())
    assert all(n in groups[g] for n, g in zip(broad.tolist(), found.broad[1].tolist(), strict=True))


def test_cuts_differ_by_their_seed_alone() -> None:
    images = cached()
    assert torch.equal(cut(images, 3).learned, cut(images, 3).learned)
    assert not torch.equal(cut(images, 3).learned, cut(images, 4).learned)


def test_no_style_that_is_judged_on_is_learned_from() -> None:
    images = cached()
    rows = cut(images, 0).learned
    seen = {"pair": set(), "labelled": set(), "crops": set()}  # type: dict[str, set[int]]
    for views in seen:
        examples = Examples(images, rows, views)
        for epoch in range(20):
            first = examples[Turn(0, epoch)]
            tensors = first[:1] if views == "labelled" else first
            seen[views] |= {int(value) for tensor in tensors for value in tensor.unique()}
    assert seen["pair"] == {0, *range(1 + CROPS, VIEWS)}
    assert seen["labelled"] <= set(range(1, 1 + CROPS))
    assert seen["crops"] <= set(range(1, VIEWS))


@torch.inference_mode()
def test_both_parts_are_the_trunk() -> None:
    tower = lite_tower()
    pixels = torch.randint(0, 256, (2, 224, 224, 3), dtype=torch.uint8)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (tower.mean, tower.std))
    expected = tower.encoder((pixels.permute(0, 3, 1, 2) / 255 - mean) / std)
    found = FromBlock(tower.visual.get_submodule("trunk"))(UpToBlock(tower).eval()(pixels))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_overlap_tells_classes_that_are_apart() -> None:
    torch.manual_seed(0)
    labels = torch.arange(10).repeat_interleave(6)
    noise = torch.nn.functional.normalize(torch.randn(60, 16), dim=1)
    apart = torch.nn.functional.normalize(0.3 * noise + torch.eye(16)[labels], dim=1)
    assert overlap_in_tasks(apart, labels) < 5 < 50 < overlap_in_tasks(noise, labels)
