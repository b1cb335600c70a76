"""Detectors: their leave-one-out is that of fits without the image, and classes do not compete."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from adapters.multi_label import detectors
from adapters.multi_label.detectors import Detectors
from tests.adapters.synthetic import generator


def plain(rows: Tensor, shown: Tensor, ridge: float, queries: Tensor) -> Tensor:
    """The scores by their definition, of images that are as they are compared."""
    gram = shown.T @ shown + detectors.PENALTY * torch.eye(shown.shape[1], dtype=shown.dtype)
    means = torch.linalg.inv(gram) @ shown.T @ rows
    noise = rows - shown @ means
    scatter = noise.T @ noise + detectors.PENALTY * means.T @ means
    scatter += ridge * torch.eye(rows.shape[1], dtype=rows.dtype)
    precise = means @ torch.linalg.inv(scatter)
    return queries @ precise.T - (precise * means).sum(dim=1) / 2


@settings(max_examples=40, deadline=None)
@given(
    images=st.integers(2, 14),
    width=st.integers(2, 12),
    classes=st.integers(1, 20),
    seed=st.integers(0, 2**16),
    positive=st.booleans(),
)
def test_left_out_scores_are_those_of_a_fit_without_the_image(
    images: int, width: int, classes: int, seed: int, positive: bool
) -> None:
    rng = generator(seed)
    rows = torch.randn(images, width, generator=rng, dtype=torch.float64)
    rows = normalize(rows.abs() if positive else rows, dim=1)
    targets = torch.rand(images, classes, generator=rng) < 0.5
    fitted = Detectors.fit(rows, targets)
    # Square roots where no component is negative, as in `adapters.span.features`.
    seen = normalize(rows.sqrt(), dim=1) if bool((rows >= 0).all()) else rows
    shown = targets.double()
    shown = shown / shown.sum(dim=1, keepdim=True).clamp(min=1) ** detectors.SHARE
    apart = (seen - seen.mean(dim=0)).square().sum(dim=1).mean()
    ridge = detectors.RIDGE * float(apart)
    whole = plain(seen, shown, ridge, seen)
    torch.testing.assert_close(fitted.scores(rows), whole, rtol=1e-8, atol=1e-8)
    for i in range(images):
        others = torch.arange(images) != i
        alone = plain(seen[others], shown[others], ridge, seen[i : i + 1])[0]
        torch.testing.assert_close(fitted.left_out[i], alone, rtol=1e-7, atol=1e-7)


def test_classes_without_images_cost_no_more_than_a_column_each() -> None:
    classes = 300_000  # a matrix of these by these would be 720 GB
    rows = normalize(torch.randn(4, 8, generator=generator(1), dtype=torch.float64), dim=1)
    targets = torch.zeros(4, classes, dtype=torch.bool)
    at = torch.tensor([0, 1, 299, classes - 1])
    targets[torch.arange(4), at] = True
    targets[0, 1] = True
    fitted = Detectors.fit(rows, targets)
    few = Detectors.fit(rows, targets[:, at])
    torch.testing.assert_close(fitted.weights[at], few.weights)
    torch.testing.assert_close(fitted.offsets[at], few.offsets)
    torch.testing.assert_close(fitted.left_out[:, at], few.left_out)
    assert int(fitted.weights.any(dim=1).sum()) == 4


def test_a_label_that_others_have_too_takes_nothing_from_a_class() -> None:
    rng = generator(0)
    first, second = normalize(torch.randn(2, 64, generator=rng), dim=1)

    def of(*parts: Tensor) -> Tensor:
        noise = 0.3 * torch.randn(64, generator=rng) / 8
        return normalize(sum(parts) + noise, dim=0)

    rows = torch.stack([*(of(first) for _ in range(8)), *(of(second) for _ in range(8))])
    targets = torch.zeros(16, 2, dtype=torch.bool)
    targets[:8, 0] = targets[8:, 1] = True
    fitted = Detectors.fit(rows, targets)
    nothing = normalize(torch.randn(64, generator=rng), dim=0)
    both, one, none = fitted.scores(torch.stack([of(first, second), of(first), nothing]))
    assert both.min() > one.min()  # each of both is found where the other is
    assert both.min() > none.max()
