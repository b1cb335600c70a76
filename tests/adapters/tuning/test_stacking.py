"""Stacking: the highest posterior, by what it has to fulfil."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adapters.tuning.stacking import VOTE, Prior, stacked_weights
from adapters.tuning.votes import Votes


def posterior(terms: list[Tensor], votes: Votes, prior: Prior, weights: list[float]) -> float:
    logits = sum(w * term.double() for w, term in zip(weights, terms, strict=True))
    assert isinstance(logits, Tensor)
    smoothing = 1 / (len(votes) + 2)
    targets = torch.full(logits.shape, smoothing / logits.shape[1], dtype=torch.float64)
    targets[torch.arange(len(votes)), votes.targets] += 1 - smoothing
    losses = -(targets * logits.log_softmax(dim=1)).sum(dim=1)
    away = (np.array(weights) - np.array(prior.means)) / np.array(prior.deviations)
    return VOTE * len(votes) * float(losses @ votes.weights) + 0.5 * float(away @ away)


@settings(max_examples=25, deadline=None)
@given(
    shots=st.lists(st.integers(0, 5), min_size=2, max_size=4),
    seed=st.integers(0, 1000),
    scale=st.sampled_from([0.1, 1.0, 30.0]),
)
def test_the_weights_are_of_the_highest_posterior(
    shots: list[int], seed: int, scale: float
) -> None:
    columns = torch.repeat_interleave(torch.arange(len(shots)), torch.tensor(shots))
    votes = Votes.of(columns, len(shots))
    generator = torch.Generator().manual_seed(seed)
    terms = [
        scale * torch.randn(len(votes), len(shots), generator=generator, dtype=torch.float64)
        for _ in range(2)
    ]
    prior = Prior((0.6, 8.0), (0.2, 2.0))
    found = stacked_weights(terms, votes, prior)
    ours = posterior(terms, votes, prior, list(found))
    for step in (0.01, -0.01):  # it is convex: what no neighbour betters is the best
        assert ours <= posterior(terms, votes, prior, [found[0] + step, found[1]]) + 1e-6
        assert ours <= posterior(terms, votes, prior, [found[0], found[1] + 10 * step]) + 1e-6


def test_without_votes_the_prior_is_all_there_is() -> None:
    none = Votes.of(torch.tensor([0, 1]), 2)
    prior = Prior((0.6, 8.0), (0.2, 2.0))
    assert stacked_weights([torch.empty(0, 2)] * 2, none, prior) == prior.means


def test_many_votes_outvote_the_prior() -> None:
    columns = torch.arange(400) % 4
    votes = Votes.of(columns, 4)
    good = 2 * torch.nn.functional.one_hot(columns, 4).double()
    noise = torch.randn(400, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = stacked_weights([noise, good + noise], votes, Prior((1.0, 1.0), (0.3, 0.3)))
    assert weights[1] > 1.5
    assert weights[0] < -1.0  # takes the noise away, where the prior would add to it
