"""The masked search against refitting a cache for every image and setting."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import TipAdapterPlusPlus, Tuning
from adapters.tuning import leave_one_out as module
from adapters.tuning.leave_one_out import leave_one_out
from adapters.tuning.temperature import calibrated_temperature, smoothed_loss


def problem(shots: list[int], seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Zero-shot logits, keys and columns of a support set with so many images a class."""
    generator = torch.Generator().manual_seed(seed)
    columns = torch.repeat_interleave(torch.arange(len(shots)), torch.tensor(shots))
    centres = torch.randn(len(shots), 12, generator=generator)
    noise = torch.randn(len(columns), 12, generator=generator)
    keys = normalize(centres[columns] + noise, dim=-1)
    zero_shot = 3 * torch.randn(len(columns), len(shots), generator=generator)
    zero_shot[torch.arange(len(columns)), columns] += 2
    return zero_shot, keys, columns


def accuracy_by_refitting(
    zero_shot: Tensor, keys: Tensor, columns: Tensor, tuning: Tuning
) -> float:
    """Leave one out by building a new head without it, its class scaled to full strength."""
    n_classes = zero_shot.shape[1]
    hits = votes = 0
    for i in range(len(keys)):
        own = columns == columns[i]
        if own.sum() < 2:
            continue
        rest = torch.arange(len(keys)) != i
        support = SupportSet(
            torch.arange(len(keys))[rest], columns[rest], ImageEmbeddings(keys[rest], keys[rest])
        )
        head = TipAdapterPlusPlus().fit(ClassSet(torch.arange(n_classes), None), support, tuning)
        cache = head.score(ImageEmbeddings(keys[i : i + 1], keys[i : i + 1])).cache[0]
        cache[columns[i]] *= own.sum() / (own.sum() - 1)
        logits = zero_shot[i] + cache
        votes += 1
        others = logits.clone()
        others[columns[i]] = -math.inf
        hits += bool(logits[columns[i]] > others.max())
    return hits / votes


@settings(max_examples=15, deadline=None)
@given(
    shots=st.lists(st.integers(1, 5), min_size=2, max_size=4).filter(lambda s: max(s) > 1),
    seed=st.integers(0, 10_000),
)
def test_reported_accuracy_is_that_of_refitting(shots: list[int], seed: int) -> None:
    zero_shot, keys, columns = problem(shots, seed)
    tuning = leave_one_out(zero_shot, keys, columns)
    assert tuning.votes == sum(n for n in shots if n > 1)
    expected = accuracy_by_refitting(zero_shot, keys, columns, tuning)
    # A vote on the edge may fall either way in float32.
    assert tuning.accuracy == pytest.approx(expected, abs=1.01 / tuning.votes)


def test_the_best_settings_of_the_grid_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BETAS", (1.0, 2.0, 4.0, 8.0))
    zero_shot, keys, columns = problem([4, 4, 4], seed=5)
    tuning = leave_one_out(zero_shot, keys, columns)
    trust = calibrated_temperature(zero_shot, columns)
    every = [
        accuracy_by_refitting(
            zero_shot, keys, columns, Tuning({"alpha": alpha * trust, "beta": beta}, 1.0)
        )
        for alpha in module.ALPHAS
        for beta in module.BETAS
    ]
    assert tuning.accuracy == pytest.approx(max(every), abs=1e-9)
    assert max(every) > min(every)


def test_single_shots_fall_back_to_the_defaults() -> None:
    zero_shot, keys, columns = problem([1, 1, 1], seed=0)
    tuning = leave_one_out(zero_shot, keys, columns)
    trust = calibrated_temperature(zero_shot, columns)
    assert tuning.votes == 0
    assert tuning.accuracy is None
    assert tuning.parameters == {
        "alpha": module.DEFAULT_ALPHA * trust,
        "beta": module.DEFAULT_BETA,
    }


def test_an_empty_support_set_has_settings_too() -> None:
    tuning = leave_one_out(torch.empty(0, 3), torch.empty(0, 8), torch.empty(0, dtype=torch.int64))
    assert tuning.votes == 0
    assert tuning.temperature > 0


@pytest.mark.parametrize("scale", [0.01, 1.0, 50.0])
def test_the_choice_does_not_depend_on_the_scale_of_the_zero_shot_logits(scale: float) -> None:
    zero_shot, keys, columns = problem([4, 4, 4, 4], seed=3)
    plain = leave_one_out(zero_shot, keys, columns)
    scaled = leave_one_out(scale * zero_shot, keys, columns)
    assert scaled.accuracy == plain.accuracy
    assert scaled.parameters["beta"] == plain.parameters["beta"]
    assert scaled.parameters["alpha"] == pytest.approx(scale * plain.parameters["alpha"], rel=0.01)


def test_meaningless_names_are_outvoted() -> None:
    generator = torch.Generator().manual_seed(0)
    _, keys, columns = problem([8] * 5, seed=1)
    noise = 30 * torch.randn(40, 5, generator=generator)
    assert (noise.argmax(1) == columns).double().mean() < 0.5
    tuning = leave_one_out(noise, keys, columns)
    assert tuning.accuracy is not None
    assert tuning.accuracy > 0.8


def test_more_images_than_may_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VOTES", 10)
    zero_shot, keys, columns = problem([10, 10, 10], seed=2)
    assert leave_one_out(zero_shot, keys, columns).votes == 10


def test_temperature_minimises_the_smoothed_loss() -> None:
    zero_shot, _, columns = problem([20, 20, 20], seed=4)
    best = calibrated_temperature(zero_shot, columns)
    loss = smoothed_loss(zero_shot, columns, best)
    for factor in (0.5, 0.9, 1.1, 2.0):
        assert smoothed_loss(zero_shot, columns, best * factor) > loss


def test_a_few_right_votes_do_not_give_certainty() -> None:
    logits = 5 * torch.eye(3)
    temperature = calibrated_temperature(logits, torch.arange(3))
    probability = (logits / temperature).softmax(dim=1).max().item()
    assert 0.7 < probability < 0.95  # three right of three: about 1 - 1/5


def test_temperature_of_constant_logits_is_one() -> None:
    assert calibrated_temperature(torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])) == 1.0
    assert calibrated_temperature(torch.rand(4, 1), torch.zeros(4, dtype=torch.int64)) == 1.0


@pytest.mark.parametrize("temperature", [0.3, 1.0, 7.0])
def test_smoothed_loss_is_cross_entropy_with_smoothed_targets(temperature: float) -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(50, 4, dtype=torch.float64), torch.randint(0, 4, (50,))
    expected = cross_entropy(logits / temperature, targets, label_smoothing=1 / 52).item()
    assert smoothed_loss(logits, targets, temperature) == pytest.approx(expected, abs=1e-12)
