"""p-values of out-of-distribution scores, and that they never contradict the threshold."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from adapters.out_of_distribution import rejection_threshold
from adapters.tuning.left_out_scores import LEAST, LeftOutScores
from tests.adapters.synthetic import generator

numbers = st.floats(-1e4, 1e4, allow_subnormal=False)
rates = st.one_of(st.floats(0, 0.99), st.sampled_from([0.01, 0.05, 0.07, 0.1, 0.29, 0.5]))


def summed_up(scores: torch.Tensor, share: float = 0.05, freedom: int = 0) -> LeftOutScores:
    found = LeftOutScores.of(scores, share, freedom or len(scores) - 1)
    assert found is not None
    return found


@settings(deadline=None)
@given(scores=st.lists(numbers, min_size=2, max_size=100), new=st.lists(numbers, min_size=1))
def test_a_p_value_is_the_share_of_scores_that_are_no_higher(
    scores: list[float], new: list[float]
) -> None:
    """Of those that are not below all, or equal to some."""
    new += scores
    found = summed_up(torch.tensor(scores, dtype=torch.float64)).p_values(
        torch.tensor(new, dtype=torch.float64)
    )
    n = len(scores)
    for score, p in zip(new, found.tolist(), strict=True):
        plain = (1 + sum(one <= score for one in scores)) / (n + 1)
        if score >= min(scores):
            assert p == pytest.approx(plain, abs=1e-12)
        else:
            assert LEAST <= p <= plain


@settings(deadline=None)
@given(
    scores=st.lists(numbers, min_size=2, max_size=60),
    new=st.lists(numbers, min_size=1, max_size=20),
    rate=rates,
    data=st.data(),
)
def test_p_values_are_above_the_rate_where_the_threshold_is_reached(
    scores: list[float], new: list[float], rate: float, data: st.DataObject
) -> None:
    freedom = data.draw(st.integers(1, len(scores) - 1))
    left_out = torch.tensor(scores, dtype=torch.float64)
    queries = torch.tensor([*new, *scores], dtype=torch.float64)
    threshold = rejection_threshold(left_out, rate, freedom)
    above = summed_up(left_out, rate, freedom).p_values(queries) > rate
    if threshold is None:
        assert bool(above.all())
    else:
        # Not at the very limit of an extrapolation, which is rounded.
        apart = (queries - threshold).abs() > 1e-6 * (1 + abs(threshold) + left_out.std())
        exact = torch.tensor([score in scores for score in queries.tolist()])
        rows = apart | exact if threshold in scores else apart
        assert torch.equal(above[rows], (queries >= threshold)[rows])


@settings(deadline=None)
@given(n=st.integers(102, 3000), rate=rates)
def test_many_scores_are_summed_up_and_the_threshold_stays_exact(n: int, rate: float) -> None:
    scores = 5 * torch.randn(n, generator=generator(n), dtype=torch.float64) - 200
    new = 6 * torch.randn(500, generator=generator(n + 1), dtype=torch.float64) - 203
    found = summed_up(scores, rate)
    assert len(found.scores) <= 102
    p = found.p_values(torch.cat([new, scores]))
    threshold = rejection_threshold(scores, rate, n - 1)
    expected = torch.cat([new, scores]) >= (-torch.inf if threshold is None else threshold)
    assert torch.equal(p > rate, expected)
    plain = (1 + (scores <= new[:, None]).sum(dim=1)) / (n + 1)
    inside = new >= scores.min()
    # The kept ranks are at most a fiftieth apart, and a tenth of that in the lower tail.
    torch.testing.assert_close(p[:500][inside], plain.double()[inside], rtol=0.25, atol=0.01)


@settings(deadline=None)
@given(scores=st.lists(numbers, min_size=2, max_size=150), rate=rates)
def test_p_values_never_fall_as_scores_rise(scores: list[float], rate: float) -> None:
    found = summed_up(torch.tensor(scores, dtype=torch.float64), rate)
    new = torch.linspace(min(scores) - 100, max(scores) + 100, 400, dtype=torch.float64)
    p = found.p_values(new)
    assert bool((p.diff() >= -1e-12).all())
    assert bool(((p >= LEAST) & (p <= 1)).all())


def test_p_values_of_few_exchangeable_scores_are_valid() -> None:
    """At most α of new scores of the same kind get a p-value of at most α, also extrapolated."""
    for n in (2, 5, 12, 40):
        draws = 7 + 3 * torch.randn(2500, n + 1, generator=generator(n), dtype=torch.float64)
        p = torch.cat([summed_up(row[:-1]).p_values(row[-1:]) for row in draws])
        for rate in (0.01, 0.05, 0.2, 0.5):
            assert float((p <= rate).double().mean()) < rate * 1.2 + 0.005
        assert float((p <= 0.05).double().mean()) > 0.02  # nor never


def test_scores_that_are_all_the_same_give_p_values() -> None:
    found = summed_up(torch.full((5,), 3.0))
    assert found.p_values(torch.tensor([2.0, 3.0, 4.0])).tolist() == [LEAST, 1.0, 1.0]


def test_fewer_than_two_scores_say_nothing() -> None:
    assert LeftOutScores.of(torch.empty(0), 0.05, 1) is None
    assert LeftOutScores.of(torch.ones(1), 0.05, 1) is None


@pytest.mark.parametrize("n", [2, 30, 5000])
def test_json_holds_all_of_it(n: int) -> None:
    found = summed_up(torch.randn(n, generator=generator(1)))
    written = json.loads(json.dumps(found.as_dict()))
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in written.items()
    }
    again = LeftOutScores(**values)
    assert again == found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 5),
        ("count", 2**40),
        ("mean", float("nan")),
        ("spread", -1.0),
        ("freedom", 0),
        ("freedom", 3),
        ("ranks", (1, 3, 3)),
        ("ranks", (2, 3)),
        ("ranks", (1, 3)),
        ("ranks", ()),
        ("scores", (1.0, 0.0, 2.0)),
        ("scores", (0.0, 1.0, float("inf"))),
    ],
)
def test_what_no_scores_sum_up_to_is_refused(field: str, value: object) -> None:
    whole = {
        "count": 3,
        "mean": 1.0,
        "spread": 1.0,
        "freedom": 2,
        "ranks": (1, 2, 3),
        "scores": (0.0, 1.0, 2.0),
    }
    assert LeftOutScores(**whole).count == 3  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="contradict"):
        LeftOutScores(**whole | {field: value})  # type: ignore[arg-type]
