"""Gaussians in closed form against explicit inverses of full d × d matrices (float64)."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.functional import normalize

from adapters.gaussians import SharedGaussians
from tests.adapters.synthetic import CORRECTED_WIDTH, columns_of, generator, make_task, noise

# Fewer images than the 24 dimensions, and more.
BELOW, ABOVE = [3, 5, 1, 4], [14, 9, 1, 10]
each_size = pytest.mark.parametrize("shots", [BELOW, ABOVE], ids=["n<d", "n>d"])


def images(shots: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    task = make_task(shots, seed, dtype=torch.float64)
    return task.support.embeddings.corrected, task.classes.columns(task.support.labels)


def scatter(x: Tensor, columns: Tensor, n_classes: int) -> Tensor:
    total = x.new_zeros(x.shape[1], x.shape[1])
    for c in range(n_classes):
        residuals = x[columns == c] - x[columns == c].mean(dim=0)
        total += residuals.T @ residuals
    return total


def precision(x: Tensor, columns: Tensor, n_classes: int, ridge: float) -> Tensor:
    """``d (S + λI)⁻¹`` for a given λ."""
    d = x.shape[1]
    return d * torch.linalg.inv(scatter(x, columns, n_classes) + ridge * torch.eye(d).double())


def ridge_of(x: Tensor, columns: Tensor, n_classes: int, relative: float) -> float:
    return relative * float(scatter(x, columns, n_classes).trace()) / (len(x) - 1)


def class_means(x: Tensor, columns: Tensor, n_classes: int) -> Tensor:
    return torch.stack([x[columns == c].mean(dim=0) for c in range(n_classes)])


def discriminants(queries: Tensor, p: Tensor, means: Tensor) -> Tensor:
    squares = torch.einsum("ci,ij,cj->c", means, p, means)
    return queries @ p @ means.T - squares / 2 - math.log(len(means))


def squared_distances(queries: Tensor, p: Tensor, means: Tensor) -> Tensor:
    apart = queries.unsqueeze(1) - means
    return torch.einsum("qci,ij,qcj->qc", apart, p, apart)


@each_size
@pytest.mark.parametrize("relative", [1.0, 4.0])
def test_discriminants_are_those_of_the_explicit_inverse(shots: list[int], relative: float) -> None:
    x, columns = images(shots)
    queries = noise(9, 5, torch.float64).corrected
    weights, bias = SharedGaussians(relative).fit(x, columns, 4).linear()
    p = precision(x, columns, 4, ridge_of(x, columns, 4, relative))
    expected = discriminants(queries, p, class_means(x, columns, 4))
    torch.testing.assert_close(queries @ weights.T + bias, expected, rtol=1e-9, atol=1e-9)


@each_size
@pytest.mark.parametrize("relative", [1.0, 4.0])
def test_distances_are_those_of_the_explicit_inverse_less_the_noise_of_the_means(
    shots: list[int], relative: float
) -> None:
    x, columns = images(shots)
    # Inside the span of the images, and outside of it.
    inside = torch.randn(5, len(x), generator=generator(1)).double() @ x
    queries = torch.cat([x[:3], inside, noise(9, 5, torch.float64).corrected])
    gaussians = SharedGaussians(relative).fit(x, columns, 4)
    p = precision(x, columns, 4, ridge_of(x, columns, 4, relative))
    expected = squared_distances(queries, p, class_means(x, columns, 4))
    noise_of_means = gaussians.spread_ / torch.tensor(shots).double()
    torch.testing.assert_close(
        gaussians.distances(queries), expected - noise_of_means, rtol=1e-8, atol=1e-8
    )


def brute_force_left_out(
    x: Tensor, columns: Tensor, n_classes: int, relative: float, spread: float
) -> tuple[Tensor, Tensor]:
    """Refit without each image, λ held at what it is with all of them."""
    ridge = ridge_of(x, columns, n_classes, relative)
    shots = torch.bincount(columns, minlength=n_classes)
    scores, distances = [], []
    for i in range(len(x)):
        rest = torch.ones(len(x), dtype=torch.bool)
        rest[i] = bool(shots[columns[i]] == 1)  # alone in its class, it stays
        p = precision(x[rest], columns[rest], n_classes, ridge)
        means = class_means(x[rest], columns[rest], n_classes)
        give_back = spread / torch.bincount(columns[rest], minlength=n_classes).double()
        scores.append(discriminants(x[i : i + 1], p, means)[0] + give_back / 2)
        distances.append(squared_distances(x[i : i + 1], p, means)[0] - give_back)
    return torch.stack(scores), torch.stack(distances)


@settings(max_examples=25, deadline=None)
@given(
    shots=st.lists(st.integers(1, 9), min_size=1, max_size=4).filter(lambda s: max(s) > 1),
    seed=st.integers(0, 1000),
    relative=st.sampled_from([1.0, 4.0]),
)
def test_leaving_out_is_refitting_with_the_same_ridge(
    shots: list[int], seed: int, relative: float
) -> None:
    x, columns = images(shots, seed)
    gaussians = SharedGaussians(relative).fit(x, columns, len(shots))
    scores, distances = gaussians.left_out()
    expected = brute_force_left_out(x, columns, len(shots), relative, float(gaussians.spread_))
    torch.testing.assert_close(scores, expected[0], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(distances, expected[1], rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    shots=st.lists(st.integers(1, 9), min_size=1, max_size=4).filter(lambda s: max(s) > 1),
    seed=st.integers(0, 1000),
)
def test_spread_is_the_mean_left_out_distance_less_the_noise_of_the_mean(
    shots: list[int], seed: int
) -> None:
    x, columns = images(shots, seed)
    _, distances = brute_force_left_out(x, columns, len(shots), 1.0, spread=0.0)
    own = distances.gather(1, columns.unsqueeze(1)).squeeze(1)
    others = torch.bincount(columns)[columns].double() - 1
    expected = (own / (1 + 1 / others))[others > 0].mean()
    spread = SharedGaussians().fit(x, columns, len(shots)).spread_
    torch.testing.assert_close(spread, expected, rtol=1e-8, atol=1e-8)


def test_the_bias_of_the_mean_gives_back_what_its_noise_takes() -> None:
    """With the true centre known: ½ μ̂ P μ̂ is too large by the bias, on the mean over draws."""
    d, shots = 24, 3
    rng = generator(0)
    centre = torch.randn(d, generator=rng).double() / d**0.5
    too_much, bias = [], []
    for _ in range(400):
        x = centre + 0.3 * torch.randn(2 * shots, d, generator=rng).double() / d**0.5
        columns = columns_of([shots, shots])
        gaussians = SharedGaussians().fit(x, columns, 2)
        p = precision(x, columns, 2, ridge_of(x, columns, 2, 1.0))
        mean = x[:shots].mean(dim=0)
        too_much.append(float(mean @ p @ mean - centre @ p @ centre) / 2)
        bias.append(float(gaussians.spread_ / (2 * gaussians.shots_[0])))
    assert sum(bias) / sum(too_much) == pytest.approx(1.0, abs=0.25)


def test_one_image_a_class_leaves_the_identity() -> None:
    x, columns = images([1, 1, 1])
    for relative in (1.0, 4.0):
        gaussians = SharedGaussians(relative).fit(x, columns, 3)
        queries = noise(5, 1, torch.float64).corrected
        weights, bias = gaussians.linear()
        means = class_means(x, columns, 3)
        expected = (queries @ means.T - 0.5) / relative - math.log(3)
        torch.testing.assert_close(queries @ weights.T + bias, expected)
        assert float(gaussians.spread_) == 0.0


@each_size
def test_float32_is_close_to_float64(shots: list[int]) -> None:
    x, columns = images(shots)
    double, single = (SharedGaussians().fit(v, columns, 4) for v in (x, x.float()))
    for a, b in zip(double.left_out(), single.left_out(), strict=True):
        torch.testing.assert_close(a, b.double(), rtol=1e-3, atol=1e-3 * float(a.abs().max()))
    queries = noise(9, 5, torch.float64).corrected
    a, b = double.distances(queries), single.distances(queries.float())
    torch.testing.assert_close(a, b.double(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [2, 5, CORRECTED_WIDTH, 60])
def test_a_scatter_of_zero_gives_numbers(dtype: torch.dtype, n: int) -> None:
    one = noise(1, 0, dtype).corrected
    gaussians = SharedGaussians().fit(one.repeat(n, 1), torch.zeros(n, dtype=torch.int64), 1)
    queries = noise(4, 1, dtype).corrected
    for numbers in (*gaussians.linear(), *gaussians.left_out(), gaussians.distances(queries)):
        assert bool(numbers.isfinite().all())
    # Whatever differs is far away, and what is the same is not.
    assert float(gaussians.distances(one)) < 1e-2 * float(gaussians.distances(queries).min())


def test_duplicates_leave_the_span_without_a_full_rank() -> None:
    x, columns = images([2, 2, 2])
    twice = SharedGaussians().fit(x.repeat(2, 1), columns.repeat(2), 3)
    p = precision(
        x.repeat(2, 1), columns.repeat(2), 3, ridge_of(x.repeat(2, 1), columns.repeat(2), 3, 1.0)
    )
    queries = noise(5, 1, torch.float64).corrected
    weights, bias = twice.linear()
    expected = discriminants(queries, p, class_means(x, columns, 3))
    torch.testing.assert_close(queries @ weights.T + bias, expected, rtol=1e-9, atol=1e-9)


def test_copies_count_as_the_images_they_are_copies_of() -> None:
    x, columns = images([4, 4, 4])
    plain = SharedGaussians().fit(x, columns, 3)
    copied = SharedGaussians(n_distinct=12).fit(x.repeat(5, 1), columns.repeat(5), 3)
    for a, b in zip(plain.linear(), copied.linear(), strict=True):
        # λ is of all images: (n − 1) against 5 (n − 1) / (5 n − 1) of the same variance.
        torch.testing.assert_close(a, b, rtol=0.1, atol=0.01 * float(a.abs().max()))
    uncounted = SharedGaussians().fit(x.repeat(5, 1), columns.repeat(5), 3)
    assert float((uncounted.linear()[0] - plain.linear()[0]).abs().max()) > 0.1 * float(
        plain.linear()[0].abs().max()
    )


def test_scores_without_an_image_hold_when_images_count_less() -> None:
    """The downdate takes out of S what the image put in: less than one image's worth."""
    x, columns = images([4, 4, 4])
    whole = SharedGaussians(n_distinct=6).fit(x, columns, 3)
    i = 5
    rest = torch.arange(len(x)) != i
    means = class_means(x[rest], columns[rest], 3)
    v = x[rest] - means[columns[rest]]
    residuals = x - class_means(x, columns, 3)[columns]
    ridge = residuals.square().sum() / (len(x) - 1)
    d = x.shape[1]
    p = d * torch.linalg.inv(0.5 * v.T @ v + ridge * torch.eye(d, dtype=x.dtype))
    expected = x[i] @ p @ means.T - ((means @ p) * means).sum(dim=1) / 2
    actual = whole.left_out()[0][i]
    shots_left = torch.bincount(columns[rest]).to(x.dtype)
    actual = actual + math.log(3) - whole.spread_ / (2 * shots_left)
    torch.testing.assert_close(actual, expected, rtol=1e-8, atol=1e-8)


def test_skewed_embeddings_are_seen_as_square_roots() -> None:
    x, columns = images([4, 4, 4])
    skewed = normalize(x.abs(), dim=1)
    one = SharedGaussians().fit(skewed, columns, 3)
    # Turned around, nothing is skewed any more, and distances are the same.
    other = SharedGaussians().fit(-normalize(skewed.sqrt(), dim=1), columns, 3)
    assert one.skewed_
    assert not other.skewed_
    queries = normalize(images([2, 2], seed=9)[0].abs(), dim=1)
    roots = normalize(queries.sqrt(), dim=1)
    torch.testing.assert_close(one.distances(queries), other.distances(-roots))
    weights, bias = one.linear()
    expected, expected_bias = other.linear()
    torch.testing.assert_close(
        one.features(queries) @ weights.T + bias,
        -roots @ expected.T + expected_bias,
    )
