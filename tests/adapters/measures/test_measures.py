"""Alignment, uniformity, gap, variance, similarity and neighbours: references and invariances."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize
from torch.utils._python_dispatch import TorchDispatchMode

from adapters.measures import blocks
from adapters.measures.alignment import alignment, relative_alignment
from adapters.measures.modality_gap import modality_gap
from adapters.measures.neighbours import neighbours
from adapters.measures.similarity import mean_similarity
from adapters.measures.uniformity import uniformity
from adapters.measures.variance import total_variance

CASES = sorted((Path(__file__).parents[1] / "parity").glob("mixup_*.npz"))
EXACT, ROUNDED = 1e-10, 2e-5


def read(path: Path) -> dict[str, Tensor]:
    with np.load(path) as vectors:
        return {name: torch.as_tensor(vectors[name]) for name in vectors.files}


def test_the_reference_vectors_are_here() -> None:
    assert [path.name for path in CASES] == ["mixup_0.npz", "mixup_1.npz"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, EXACT), (torch.float32, ROUNDED)])
def test_measures_agree_with_the_reference(path: Path, dtype: torch.dtype, error: float) -> None:
    case = read(path)
    images, texts = case["in_image"].to(dtype), case["in_caption"].to(dtype)
    own = torch.arange(len(images))
    found = {
        "out_alignment": alignment(images, texts, own),
        "out_relative_alignment": relative_alignment(images, texts, own),
        "out_uniformity": uniformity(torch.cat([images, texts])),
        "out_modality_gap": modality_gap(images, texts),
    }
    for name, value in found.items():
        assert value == pytest.approx(case[name].item(), rel=0, abs=error), name


# Real sets of labelled vectors for whatever has no reference: classes, unbalanced, some of one.


@st.composite
def labelled(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """(n, d) images, (n,) their classes, (N, d) texts; float64 unit vectors."""
    shots = draw(st.lists(st.integers(1, 6), min_size=2, max_size=5))
    width = draw(st.integers(2, 7))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    labels = torch.arange(len(shots)).repeat_interleave(torch.tensor(shots))

    def near(rows: Tensor) -> Tensor:
        noise = torch.randn(len(rows), width, generator=generator, dtype=torch.float64)
        return normalize(rows + noise, dim=1)

    centres = torch.randn(len(shots), width, generator=generator, dtype=torch.float64)
    return near(centres[labels]), labels, near(centres)


def everything(images: Tensor, labels: Tensor, texts: Tensor) -> dict[str, float]:
    similarity = mean_similarity(images, labels)
    return {
        "alignment": alignment(images, texts, labels),
        "relative alignment": relative_alignment(images, texts, labels),
        "gap": modality_gap(images, texts[labels]),
        "uniformity": uniformity(images),
        "uniformity with texts": uniformity(torch.cat([images, texts])),
        "variance": total_variance(images),
        "paired": similarity.paired,
        "unpaired": similarity.unpaired,
        "neighbours": neighbours(images, labels).accuracy,
    }


def loops(images: Tensor, labels: Tensor, texts: Tensor) -> dict[str, float]:
    """The same, one image and one pair at a time."""
    x, t, y = images.numpy(), texts.numpy(), labels.tolist()
    n = len(x)

    def distance(a: Any, b: Any) -> float:
        return float(((a - b) ** 2).sum())

    def potential(rows: Any) -> float:
        return math.log(np.mean([math.exp(-2 * distance(a, b)) for a, b in combinations(rows, 2)]))

    def mean(values: list[float]) -> float:
        return float(np.mean(values)) if values else math.nan

    own = [distance(x[i], t[y[i]]) for i in range(n)]
    others = [
        own[i] - min(distance(x[i], t[k]) for k in range(len(t)) if k != y[i]) for i in range(n)
    ]
    pairs = list(combinations(range(n), 2))
    nearest = [max((j for j in range(n) if j != i), key=lambda j: x[i] @ x[j]) for i in range(n)]
    return {
        "alignment": mean(own),
        "relative alignment": mean(others),
        "gap": float(np.linalg.norm(x.mean(axis=0) - t[y].mean(axis=0))),
        "uniformity": potential(x),
        "uniformity with texts": potential(np.concatenate([x, t])),
        "variance": float(x.var(axis=0).sum()),
        "paired": mean([float(x[i] @ x[j]) for i, j in pairs if y[i] == y[j]]),
        "unpaired": mean([float(x[i] @ x[j]) for i, j in pairs if y[i] != y[j]]),
        "neighbours": mean([float(y[nearest[i]] == y[i]) for i in range(n) if y.count(y[i]) > 1]),
    }


@given(labelled())
@settings(deadline=None)
def test_measures_are_what_loops_find(case: tuple[Tensor, Tensor, Tensor]) -> None:
    assert everything(*case) == pytest.approx(loops(*case), rel=1e-9, abs=1e-9, nan_ok=True)


@given(labelled(), st.integers(0, 2**31))
@settings(deadline=None)
def test_measures_do_not_depend_on_the_axes(case: tuple[Tensor, Tensor, Tensor], seed: int) -> None:
    images, labels, texts = case
    generator = torch.Generator().manual_seed(seed)
    square = torch.randn(2 * (images.shape[1],), generator=generator, dtype=torch.float64)
    rotation = torch.linalg.qr(square).Q
    turned = everything(images @ rotation, labels, texts @ rotation)
    assert turned == pytest.approx(everything(*case), rel=1e-9, abs=1e-9, nan_ok=True)


@given(labelled(), st.integers(0, 2**31))
@settings(deadline=None)
def test_measures_do_not_depend_on_the_order(
    case: tuple[Tensor, Tensor, Tensor], seed: int
) -> None:
    images, labels, texts = case
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=generator)
    rows = torch.randperm(len(texts), generator=generator)
    shuffled = everything(images[order], rows.argsort()[labels[order]], texts[rows])
    assert shuffled == pytest.approx(everything(*case), rel=1e-9, abs=1e-9, nan_ok=True)


@given(labelled())
@settings(deadline=None)
def test_measures_stay_within_their_bounds(case: tuple[Tensor, Tensor, Tensor]) -> None:
    found = everything(*case)
    bounds = {
        "alignment": (0, 4),
        "relative alignment": (-4, 4),
        "gap": (0, 2),
        "uniformity": (-8, 0),
        "uniformity with texts": (-8, 0),
        "variance": (0, 1),
        "paired": (-1, 1),
        "unpaired": (-1, 1),
        "neighbours": (0, 1),
    }
    for name, (low, high) in bounds.items():
        assert math.isnan(found[name]) or low - 1e-12 <= found[name] <= high + 1e-12, name


# What is known without computing.


def test_the_ends_of_the_scales_are_reached() -> None:
    up = torch.tensor([[0.0, 1.0]])
    both = torch.cat([up, -up])
    own = torch.tensor([0, 1])
    assert alignment(both, both, own) == 0
    assert alignment(both, -both, own) == 4
    assert relative_alignment(both, both, own) == -4
    assert modality_gap(up, -up) == 2
    assert modality_gap(both, both) == 0
    assert uniformity(both) == pytest.approx(-8)
    assert uniformity(up.expand(5, 2)) == 0
    assert total_variance(both) == 1
    assert total_variance(up.expand(5, 2)) == 0


def test_directions_at_random_have_the_uniformity_of_a_sphere() -> None:
    """E exp(-4 + 4 cos) over a sphere of 512 dimensions is near exp(-4 + 8/512)."""
    rows = torch.randn(1500, 512, generator=torch.Generator().manual_seed(0))
    assert uniformity(normalize(rows, dim=1)) == pytest.approx(-4 + 8 / 512, abs=1e-3)


def test_a_class_of_one_is_not_judged_but_can_be_a_neighbour() -> None:
    rows = normalize(torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.9, 0.2], [0.0, 1.0]]), dim=1)
    found = neighbours(rows, torch.tensor([0, 1, 0, 1]))
    assert found.right.tolist() == [False, False, False, False]
    found = neighbours(rows, torch.tensor([0, 0, 5, 3]))
    assert found.judged.tolist() == [True, True, False, False]
    assert found.right.tolist() == [True, False, False, False]
    assert found.accuracy == 0.5


def test_too_few_images_have_no_measures() -> None:
    none = torch.empty(0, 3)
    labels = torch.empty(0, dtype=torch.int64)
    text = torch.eye(3)[:1]
    for value in everything(none, labels, text).values():
        assert math.isnan(value)
    alone = everything(torch.eye(3)[:1], torch.tensor([0]), text)
    assert {name for name, value in alone.items() if math.isnan(value)} == {
        "relative alignment", "uniformity", "paired", "unpaired", "neighbours",
    }  # fmt: skip


# Memory: blocks.


@pytest.mark.parametrize("values", [1, 50, 700])
def test_measures_do_not_depend_on_the_block_size(
    values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(0, 6, (45,), generator=generator)
    images, texts = (
        normalize(torch.randn(n, 8, generator=generator, dtype=torch.float64), dim=1)
        for n in (45, 6)
    )
    whole = everything(images, labels, texts)
    monkeypatch.setattr(blocks, "_VALUES", values)
    assert everything(images, labels, texts) == pytest.approx(whole, rel=1e-12, abs=1e-12)


class Largest(TorchDispatchMode):
    """Notes the number of values of the largest tensor that is made."""

    values = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else (made,):
            if isinstance(one, Tensor):
                self.values = max(self.values, one.numel())
        return made


def test_many_images_do_not_take_the_memory_of_all_their_pairs() -> None:
    n = 6000
    generator = torch.Generator().manual_seed(4)
    labels = torch.randint(0, 900, (n,), generator=generator)
    images, texts = (normalize(torch.randn(k, 4, generator=generator), dim=1) for k in (n, 900))
    with Largest() as largest:
        everything(images, labels, texts)
    assert 400_000 < largest.values <= 500_000 < n * n / 50
