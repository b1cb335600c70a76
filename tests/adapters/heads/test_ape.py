"""APE's channels and value weights against its paper's formulas, written out."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.functional import normalize

from adapters.heads import HEADS
from adapters.heads.ape import (
    APEParameters,
    best_channels,
    channel_scores,
    refined,
    value_weights,
)
from adapters.heads.term import zero_shot_logits
from tests.adapters.synthetic import TUNINGS, Task, fixed_head, generator, make_task

each_form = pytest.mark.parametrize("name", ["ape", "ape++"])


def unit(n: int, d: int, seed: int = 0) -> Tensor:
    return normalize(torch.randn(n, d, generator=generator(seed), dtype=torch.float64), dim=1)


@given(n=st.integers(2, 6), d=st.integers(1, 9), seed=st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_scores_weigh_similarity_against_variance(n: int, d: int, seed: int) -> None:
    w = unit(n, d, seed)
    for k in range(d):
        pairs = [float(w[i, k] * w[j, k]) for i in range(n) for j in range(n) if i != j]
        expected = -0.7 * sum(pairs) / len(pairs) + 0.3 * float(w[:, k].var())
        assert float(channel_scores(w)[k]) == pytest.approx(expected, abs=1e-12)


def test_one_class_has_no_channel_to_prefer() -> None:
    assert torch.equal(channel_scores(unit(1, 5)), torch.zeros(5).double())
    assert torch.equal(channel_scores(unit(0, 5)), torch.zeros(5).double())


def test_the_best_channels_come_in_their_order() -> None:
    w = unit(4, 10)
    chosen = best_channels(w, 0.5)
    expected = sorted(channel_scores(w).argsort(descending=True)[:5].tolist())
    assert chosen.tolist() == expected
    assert best_channels(w, 1.0).tolist() == list(range(10))
    assert len(best_channels(w, 0.01)) == 1


def test_refined_rows_are_unit_vectors_of_the_channels() -> None:
    rows = unit(3, 6)
    channels = torch.tensor([0, 2, 5])
    expected = rows[:, channels] / rows[:, channels].norm(dim=1, keepdim=True)
    torch.testing.assert_close(refined(rows, channels), expected)


def test_value_weights_are_the_exponential_of_the_divergence_from_one_hot() -> None:
    support, texts, columns = unit(5, 6), unit(3, 6, 1), torch.tensor([0, 1, 2, 2, 0])
    p = torch.softmax(support @ texts.T, dim=1)
    kl = torch.stack([-p[i, c].log() for i, c in enumerate(columns.tolist())])
    expected = torch.exp(2.0 * kl)
    weights = value_weights(support, texts, columns, 2.0)
    torch.testing.assert_close(weights, expected / expected.mean())
    assert weights.argmax() == kl.argmax()  # a positive γ favours what texts do not recognise


def parts(task: Task, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Refined keys, refined queries and value weights of a fixed tuning, written out."""
    parameters = TUNINGS[name][1].parameters.as_dict()
    images, columns = task.support.embeddings, task.classes.columns(task.support.labels)
    texts = task.classes.texts
    assert texts is not None
    by_text = best_channels(texts, parameters["share"])
    weights = value_weights(
        refined(images.frozen, by_text), refined(texts, by_text), columns, parameters["gamma"]
    )
    if name == "ape":
        keys, queries, channels = images.frozen, task.queries.frozen, by_text
    else:
        keys, queries = images.corrected, task.queries.corrected
        means = [keys[columns == c].mean(dim=0) for c in range(len(texts))]
        channels = best_channels(normalize(torch.stack(means), dim=1), parameters["share"])
    return refined(keys, channels), refined(queries, channels), weights


@each_form
def test_answers_are_the_equation(name: str) -> None:
    task = make_task([4, 4, 4], dtype=torch.float64)
    parameters = TUNINGS[name][1].parameters.as_dict()
    keys, queries, weights = parts(task, name)
    columns = task.classes.columns(task.support.labels)
    votes = torch.exp(-parameters["beta"] * (1 - queries @ keys.T)) * weights
    term = torch.stack([votes[:, columns == c].sum(dim=1) for c in range(3)], dim=1)
    zero_shot = zero_shot_logits(task.queries.frozen, task.classes, 100.0)
    logits = fixed_head(name, task.classes, task.support).score(task.queries).logits
    torch.testing.assert_close(logits, zero_shot + parameters["alpha"] * term, rtol=1e-5, atol=5e-5)


@each_form
def test_left_out_is_the_equation_without_the_image_in_the_same_channels(name: str) -> None:
    task = make_task([4, 2, 3], dtype=torch.float64)
    tuning = TUNINGS[name][1]
    keys, _, weights = parts(task, name)
    columns = task.classes.columns(task.support.labels)
    votes = torch.exp(-tuning.parameters.as_dict()["beta"] * (1 - keys @ keys.T)) * weights
    votes.fill_diagonal_(0.0)
    term = torch.zeros(9, 3).double()
    for i in range(9):
        for c in range(3):
            others = int((columns == c).sum()) - int(columns[i] == c)
            term[i, c] = 3 * votes[i, columns == c].sum() / others  # 3: mean shots
    zero_shot = zero_shot_logits(task.support.embeddings.frozen, task.classes, 100.0)
    actual = HEADS[name]().left_out(task.classes, task.support.labelled, tuning)
    torch.testing.assert_close(
        actual, zero_shot + tuning.parameters.as_dict()["alpha"] * term, rtol=1e-9, atol=1e-9
    )


@each_form
def test_all_channels_and_equal_values_are_tip_adapter(name: str) -> None:
    task = make_task([4, 2, 0, 3])
    parameters = TUNINGS["tip-adapter"][1]
    tuning = replace(parameters, parameters=APEParameters.of(parameters.parameters.as_dict()))
    ape = HEADS[name]().fit(task.classes, task.support, tuning)
    plain = HEADS[name.replace("ape", "tip-adapter")]().fit(task.classes, task.support, parameters)
    torch.testing.assert_close(
        ape.score(task.queries).logits, plain.score(task.queries).logits, rtol=1e-5, atol=1e-4
    )
