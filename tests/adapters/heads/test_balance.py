"""A class does not win by the number of its images."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from adapters.cache.cache import balance
from adapters.change import Change
from adapters.gaussians import SharedGaussians
from adapters.heads import HEADS, Head
from adapters.heads.tip_adapter import cache_logits
from adapters.tuning.cache_votes import mean_shots
from tests.adapters.synthetic import Task, fixed_head, make_task

FEW, MANY = 2, 40


def recalls(head: Head, task: Task) -> Tensor:
    right = (head.score(task.queries).logits.argmax(dim=1) == task.truth).double()
    return torch.stack([right[task.truth == c].mean() for c in range(len(task.classes))])


def tasks() -> list[Task]:
    return [make_task([FEW, MANY], seed, queries=40, spread=1.5, names=False) for seed in range(20)]


def mean_recalls(method: str, *, forget: str | None = None) -> Tensor:
    """Mean over tasks of the recall of the small and of the large class."""
    rows = []
    for task in tasks():
        head = HEADS[method]().fit(task.classes, task.support)
        kept = {k: v for k, v in head.tuning_.parameters.as_dict().items() if k != forget}
        parameters = type(head.tuning_.parameters).of(kept)
        head.update(Change(tuning=replace(head.tuning_, parameters=parameters)))
        rows.append(recalls(head, task))
    return torch.stack(rows).mean(dim=0)


@pytest.mark.parametrize("method", ["tip-adapter++", "gda++", "auto"])
def test_queries_of_a_small_class_find_it_about_as_often(method: str) -> None:
    small, large = mean_recalls(method).tolist()
    assert small > 0.85
    assert abs(small - large) < 0.08


def test_the_test_above_would_notice_gaussians_without_the_noise_of_their_means() -> None:
    small, large = mean_recalls("gda++", forget="spread").tolist()
    assert large - small > 0.12


def test_the_test_above_would_notice_plain_sums_of_votes() -> None:
    rows = []
    for task in tasks():
        keys = task.support.embeddings.corrected
        affinity = task.queries.corrected @ keys.T
        columns = task.classes.columns(task.support.labels).expand(len(affinity), -1)
        right = cache_logits(affinity, columns, 1.0, 2.0, 2).argmax(dim=1) == task.truth
        rows.append(right[task.truth == 0].double().mean())
    assert torch.stack(rows).mean() < 0.3


def test_votes_count_the_inverse_of_the_shots() -> None:
    columns = torch.tensor([0, 0, 0, 1, 3, 3])
    torch.testing.assert_close(
        balance(columns, 4, mean_shots(columns, 4)), torch.tensor([2 / 3, 2.0, 2.0, 1.0])
    )
    assert torch.equal(balance(torch.tensor([0, 1, 0, 1]), 2, 2.0), torch.ones(2))


@pytest.mark.parametrize("name", ["tip-adapter", "tip-adapter++"])
def test_a_second_copy_of_all_images_of_a_class_does_not_favour_it(name: str) -> None:
    task = make_task([3, 3, 3])
    own = task.support[task.support.labels == task.classes.ids[1]]
    more = task.support.with_added(replace(own, ids=own.ids + 1))
    once = fixed_head(name, task.classes, task.support).score(task.queries).cache
    twice = fixed_head(name, task.classes, more).score(task.queries).cache
    # The votes of all classes grow together, by the mean number of images: 4 instead of 3.
    torch.testing.assert_close(twice, once * 4 / 3, rtol=1e-5, atol=1e-4)


def test_a_second_copy_of_all_images_of_a_class_leaves_the_means_of_gaussians() -> None:
    task = make_task([3, 3, 3], dtype=torch.float64)
    x, columns = task.support.embeddings.corrected, task.classes.columns(task.support.labels)
    own = columns == 1
    once = SharedGaussians().fit(x, columns, 3)
    twice = SharedGaussians().fit(torch.cat([x, x[own]]), torch.cat([columns, columns[own]]), 3)
    # The covariance is the classes' together, and now that of one of them counts more; the
    # prior is uniform before and after, so at the means themselves nothing but P has changed.
    means = torch.stack([x[columns == c].mean(dim=0) for c in range(3)])
    for gaussians in (once, twice):
        distances = gaussians.distances(means) + gaussians.spread_ / gaussians.shots_
        torch.testing.assert_close(distances.diagonal(), torch.zeros(3).double(), rtol=0, atol=1e-9)
        weights, bias = gaussians.linear()
        torch.testing.assert_close(
            bias, -(weights * means).sum(dim=1) / 2 - torch.tensor(3.0).double().log()
        )
