"""Which answers are remembered, and what verdicts say of accuracy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from service.classifier_settings import ClassifierSettings
from service.inbox.accuracy import accuracy_windows, wilson_interval
from service.inbox.worth import worth_remembering
from service.registry.predictions import Prediction, RankedLabel
from service.storage.inbox import Why

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def answer(known: bool, labels: list[str] | None, *probabilities: float) -> Prediction:
    top_k = [RankedLabel(f"c{i}", p, 0.0, 0.0) for i, p in enumerate(probabilities)]
    return Prediction(top_k, [], known, None, labels)


@pytest.mark.parametrize(
    ("given_answer", "by_unknown", "by_uncertain", "by_all"),
    [
        (answer(True, None, 0.9, 0.1), None, None, "all"),
        (answer(False, None, 0.9, 0.1), "unknown", "unknown", "unknown"),
        (answer(True, None, 0.6, 0.4), None, "uncertain", "uncertain"),
        (answer(True, ["a"], 0.6, 0.4), None, None, "all"),  # a coverage decides
        (answer(True, ["a", "b"], 0.9, 0.1), None, "uncertain", "uncertain"),
        (answer(True, [], 0.9, 0.1), None, "uncertain", "uncertain"),
        (answer(True, None, 0.6), None, "uncertain", "uncertain"),  # one candidate was asked for
        (answer(True, None, 0.7), None, None, "all"),
        (answer(True, None, 1.0), None, None, "all"),
    ],
)
def test_what_is_remembered(
    given_answer: Prediction, by_unknown: str, by_uncertain: str, by_all: str
) -> None:
    for remember, why in [
        ("none", None),
        ("unknown", by_unknown),
        ("uncertain", by_uncertain),
        ("all", by_all),
    ]:
        settings = ClassifierSettings(remember=remember)  # type: ignore[arg-type]
        assert worth_remembering(settings, given_answer) == why, remember
        assert why is None or why in get_args(Why)


@given(st.integers(1, 500), st.data())
def test_the_interval_is_wilsons(n: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, n))
    expected = binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(right, n) == pytest.approx((expected.low, expected.high), abs=1e-6)


@given(
    st.lists(st.tuples(st.integers(-5, 4000), st.booleans()), max_size=40),
    st.integers(1, 20),
    st.integers(1, 20),
)
def test_each_verdict_is_in_the_window_of_its_time(
    verdicts: list[tuple[int, bool]], days: int, number: int
) -> None:
    asked = [(NOW - timedelta(hours=hours), right) for hours, right in verdicts]
    windows = accuracy_windows(asked, NOW, days, number)
    assert len(windows) == number
    assert windows[-1].end == NOW
    for before, after in pairwise(windows):
        assert before.end == after.begin
    for window in windows:
        last = window is windows[-1]
        inside = [ok for at, ok in asked if window.begin < at and (at <= window.end or last)]
        assert (window.judged, window.right) == (len(inside), sum(inside))
        assert (window.accuracy is None) == (window.low is None) == (not inside)
