"""The bounds hold, and what they certify cannot change, whatever the truth within them."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from adapters.cache.certificate import TOLERANCE, certified, vote_bounds

similarities = hnp.arrays(
    np.float64, st.integers(1, 40), elements=st.floats(-1, 1, allow_subnormal=False)
)
betas = st.sampled_from([0.5, 1.0, 2.0, 5.5, 8.0, 32.0, 256.0])


def softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    e: np.ndarray = np.exp((logits - logits.max()) / temperature)
    return e / e.sum()


def bounds(s: np.ndarray, beta: float, cap: float, scatter: float) -> tuple[float, float]:
    lower, upper = vote_bounds(
        np.array([float(len(s))]), np.array([s.mean()]), np.array([scatter]), beta, cap
    )
    return float(lower[0]), float(upper[0])


@settings(max_examples=300, deadline=None)
@given(s=similarities, beta=betas, room=st.floats(0, 1), more=st.floats(1, 10))
def test_votes_lie_within_their_bounds(
    s: np.ndarray, beta: float, room: float, more: float
) -> None:
    votes = np.exp(-beta * (1 - s)).sum()
    lower, upper = bounds(s, beta, s.max() + room, more * len(s) * s.var())
    assert lower <= votes * (1 + 1e-9)
    assert upper >= votes * (1 - 1e-9)


@settings(max_examples=200, deadline=None)
@given(s=similarities, beta=betas)
def test_the_bound_is_never_more_than_that_by_number_and_greatest_similarity(
    s: np.ndarray, beta: float
) -> None:
    upper = bounds(s, beta, s.max(), np.inf)[1]
    assert upper <= len(s) * np.exp(-beta * (1 - s.max())) * (1 + 1e-5 * beta)


@settings(max_examples=100, deadline=None)
@given(s=similarities, beta=betas, less=st.floats(0, 1))
def test_knowing_more_makes_the_bound_tighter(s: np.ndarray, beta: float, less: float) -> None:
    scatter = len(s) * s.var()
    loose = bounds(s, beta, 1.0, 2 * scatter + 0.1)[1]
    assert bounds(s, beta, 1.0, scatter)[1] <= loose * (1 + 1e-9)
    cap = s.max() + less * (1 - s.max())
    assert bounds(s, beta, cap, scatter)[1] <= bounds(s, beta, 1.0, scatter)[1] * (1 + 1e-9)


def test_many_alike_are_bounded_closely_though_one_could_be_near() -> None:
    s = 0.2 + 0.03 * np.random.default_rng(0).standard_normal(1000)
    lower, upper = bounds(s, 1.0, 1.0, len(s) * s.var())
    votes = np.exp(-(1 - s)).sum()
    assert lower > 0.999 * votes
    assert upper < 1.002 * votes  # by number and greatest similarity it would be 2.2 times as much


@settings(max_examples=400, deadline=None)
@given(
    logits=hnp.arrays(np.float64, st.integers(1, 12), elements=st.floats(-30, 30)),
    width=st.sampled_from([0.0, 1e-4, 1e-3, 1e-2, 1.0]),
    temperature=st.sampled_from([0.5, 1.0, 7.0]),
    seed=st.integers(0, 99),
)
def test_what_is_certified_is_the_answer_of_any_logits_within_the_bounds(
    logits: np.ndarray, width: float, temperature: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    upper = logits + width * rng.random(len(logits)) * rng.integers(0, 2, len(logits))
    if not certified(logits, upper, temperature):
        return
    middle = (logits + upper) / 2
    said = softmax(middle, temperature)
    for _ in range(5):
        true = logits + (upper - logits) * rng.integers(0, 2, len(logits))
        p = softmax(true, temperature)
        assert np.abs(p - said).max() <= TOLERANCE + 1e-12
        for i in range(len(p)):
            for j in range(len(p)):
                if max(p[i], p[j]) > TOLERANCE and true[i] > true[j]:
                    assert middle[i] >= middle[j]


def test_known_logits_are_certified_and_unknown_ones_are_not() -> None:
    logits = np.array([3.0, 1.0, 2.9])
    assert certified(logits, logits, 1.0)
    assert not certified(logits, logits + np.array([0.0, 0.0, 0.2]), 1.0)
    assert not certified(logits, logits + np.array([0.0, 0.0, 1e6]), 1.0)
    assert not certified(logits - 1e6, logits, 1.0)


def test_a_class_that_cannot_matter_need_not_be_known() -> None:
    assert certified(np.array([50.0, -40.0, -30.0]), np.array([50.0, 0.0, 10.0]), 1.0)


def test_two_probable_classes_that_may_change_places_are_not_certified() -> None:
    lower = np.array([1.0, 1.0 - 1e-5])
    assert not certified(lower, lower + 2e-5, 1.0)
