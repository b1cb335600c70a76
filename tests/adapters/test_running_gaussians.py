"""Gaussians that follow images, against inverses of full matrices computed from what is left."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.functional import normalize

from adapters.directions import Directions
from adapters.gaussians import SharedGaussians
from adapters.running_gaussians import DriftedError, Moves, RunningGaussians, probe
from tests.adapters.synthetic import generator

D, CLASSES = 12, 4


def drawn(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """n features around a centre for each class, and identifiers of their classes."""
    rng = generator(seed)
    labels = torch.randint(0, CLASSES, (n,), generator=rng)
    centres = torch.randn(CLASSES, D, generator=rng)
    return normalize(centres[labels] + torch.randn(n, D, generator=rng), dim=1), labels + 50


def begun(x: Tensor, labels: Tensor, share: float | None = None) -> RunningGaussians:
    present, columns = labels.unique(return_inverse=True)
    return SharedGaussians(4.0, share).fit(x, columns, len(present)).running(present)


def assert_follows(running: RunningGaussians, x: Tensor, labels: Tensor) -> None:
    """As if it had been computed from these images with the same λ and share."""
    x = x.double()
    assert sorted(running.labels.tolist()) == labels.unique().tolist()
    means = torch.stack([x[labels == label].mean(dim=0) for label in running.labels])
    column = {label: i for i, label in enumerate(running.labels.tolist())}
    residuals = x - means[[column[label] for label in labels.tolist()]]
    scatter = running.share * residuals.T @ residuals
    inverse = torch.linalg.inv(scatter + running.ridge * torch.eye(D).double())
    shots = [int((labels == label).sum()) for label in running.labels]
    assert running.shots.tolist() == shots

    def assert_close(actual: Tensor, expected: Tensor) -> None:
        """Of the largest: differences of large numbers are small ones."""
        atol = 1e-3 * float(expected.abs().max())
        torch.testing.assert_close(actual, expected, rtol=0, atol=atol, check_dtype=False)

    assert_close(running.means, means)
    assert_close(x.float() @ running.weights.T, x @ inverse @ means.T)
    assert_close(running.squares, ((means @ inverse) * means).sum(dim=1))
    inside = running.basis.inside(x.float()).double()
    outside = (x * x).sum(dim=1) - (inside * inside).sum(dim=1)
    squares = ((inside @ running.inverse.double()) * inside).sum(dim=1) + outside / running.ridge
    assert_close(squares, ((x @ inverse) * x).sum(dim=1))


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(6, 40),
    share=st.sampled_from([None, 5.0]),
    steps=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8)), min_size=1, max_size=6),
    seed=st.integers(0, 100),
)
def test_any_moves_are_computing_it_from_what_is_left(
    n: int, share: float | None, steps: list[tuple[int, int]], seed: int
) -> None:
    x, labels = drawn(n + sum(added for _, added in steps), seed)
    there = list(range(n))
    running = begun(x[:n], labels[:n], share)
    coming, rng = n, generator(seed)
    for go, come in steps:
        gone = [there[i] for i in torch.randperm(len(there), generator=rng)[:go].tolist()]
        new = list(range(coming, coming + come))
        coming += come
        left = [i for i in there if i not in gone] + new
        moves = Moves(
            removed=x[gone], removed_labels=labels[gone], added=x[new], added_labels=labels[new]
        )
        if not left:
            with pytest.raises(DriftedError):
                running.moved(moves)
            return
        before = running.inverse.clone(), running.means.clone()
        following = running.moved(moves)
        assert torch.equal(running.inverse, before[0])  # a value: others may still read it
        assert torch.equal(running.means, before[1])
        running, there = following, left
        assert_follows(running, x[there], labels[there])


def test_rows_come_in_the_order_that_is_asked_for() -> None:
    x, labels = drawn(30, 1)
    none = Moves(removed=x[:0], removed_labels=labels[:0], added=x[:0], added_labels=labels[:0])
    running = begun(x, labels)
    turned = running.moved(none, running.labels.flip(0))
    assert torch.equal(turned.labels, running.labels.flip(0))
    assert torch.equal(turned.means, running.means.flip(0))
    assert_follows(turned, x, labels)


def test_rounding_is_noticed() -> None:
    x, labels = drawn(40, 2)
    running = begun(x, labels)
    running.inverse.mul_(1.01)
    one = Moves(
        removed=x[:0], removed_labels=labels[:0], added=x[:1] + 0.1, added_labels=labels[:1]
    )
    with pytest.raises(DriftedError, match="drifted"):
        running.moved(one)


def test_more_images_cannot_leave_a_class_than_it_has() -> None:
    x, labels = drawn(20, 3)
    twice = torch.arange(20).repeat(2)
    with pytest.raises(DriftedError):
        begun(x, labels).moved(
            Moves(
                removed=x[twice],
                removed_labels=labels[twice],
                added=x[:1],
                added_labels=labels[:1],
            )
        )


def test_thousands_of_moves_leave_little_rounding() -> None:
    x, labels = drawn(2100, 4)
    running = begun(x[:100], labels[:100])
    for i in range(2000):
        running = running.moved(
            Moves(
                removed=x[i : i + 1],
                removed_labels=labels[i : i + 1],
                added=x[i + 100 : i + 101],
                added_labels=labels[i + 100 : i + 101],
            )
        )
    assert_follows(running, x[2000:], labels[2000:])


def test_a_basis_takes_in_what_it_lacks_and_no_more() -> None:
    rows = torch.eye(D)[:3]
    basis = Directions.of(rows, D)
    assert basis.extended(torch.eye(D)[:2] * 0.5) is basis
    more = basis.extended(torch.ones(1, D))
    assert len(more) == 4
    held = more.inside(torch.eye(D))
    torch.testing.assert_close(more.outside(more.inside(torch.ones(1, D))), torch.ones(1, D))
    assert held.shape == (D, 4)
    everything = more.extended(torch.eye(D))
    assert len(everything) == D
    torch.testing.assert_close(everything.outside(everything.inside(torch.eye(D))), torch.eye(D))


def test_a_longer_probe_begins_with_the_shorter_one() -> None:
    assert torch.equal(probe(100, torch.ones(1))[:37], probe(37, torch.ones(1)))
    assert 20 < int((probe(100, torch.ones(1)) > 0).sum()) < 80
