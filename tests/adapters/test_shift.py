"""Recent queries against the support set: what is detected, and how seldom nothing is."""

from __future__ import annotations

import math
from collections import Counter

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ImageEmbeddings
from adapters.shift import (
    CLASS_VARIANCE,
    HIGHEST_MEAN,
    LEAST,
    QUANTILE,
    WINDOW,
    RecentQueries,
    Shift,
)
from tests.adapters.synthetic import generator, make_task, noise


def seen(queries: list[tuple[float, str]], left_out: int = 80, classes: int = 5) -> RecentQueries:
    recent = RecentQueries(left_out, classes)
    for p_value, label in queries:
        recent.add(p_value, label)
    return recent


def judged(queries: list[tuple[float, str]], left_out: int, classes: int) -> Shift | None:
    """By the definition, from all queries."""
    last = queries[-WINDOW:]
    m = len(last)
    if m < LEAST:
        return None
    mean = sum(p for p, _ in last) / m
    shares = [count / m for count in Counter(label for _, label in last).values()]
    variance = (left_out + m + 1) / (12 * left_out * m)
    variance += CLASS_VARIANCE * (sum(s * s for s in shares) + 1 / classes)
    return Shift(m, mean, (0.5 - mean) / math.sqrt(variance) > QUANTILE and mean < HIGHEST_MEAN)


@settings(max_examples=60, deadline=None)
@given(
    queries=st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from("abcdef")), max_size=2 * WINDOW + 50
    ),
    highest=st.floats(0.05, 1),
    left_out=st.integers(1, 500),
    classes=st.integers(1, 60),
)
def test_sums_that_come_and_go_are_those_of_the_window(
    queries: list[tuple[float, str]], highest: float, left_out: int, classes: int
) -> None:
    queries = [(highest * p, label) for p, label in queries]
    recent = seen(queries, left_out, classes)
    assert len(recent) == min(len(queries), WINDOW)
    found, expected = recent.shift(), judged(queries, left_out, classes)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert found.queries == expected.queries
    assert found.mean_p_value == pytest.approx(expected.mean_p_value, abs=1e-9)
    if abs(expected.mean_p_value - HIGHEST_MEAN) > 1e-6:
        assert found.detected == expected.detected


def test_few_queries_say_nothing() -> None:
    low = [(0.01, str(i % 5)) for i in range(LEAST)]
    assert seen(low[:-1]).shift() is None
    found = seen(low).shift()
    assert found is not None
    assert found.detected


@pytest.mark.parametrize(("left_out", "classes"), [(0, 0), (0, 3)])
def test_without_left_out_images_nothing_is_said(left_out: int, classes: int) -> None:
    assert seen([(0.01, "a")] * 50, left_out, classes).shift() is None


def test_few_left_out_images_take_more_to_be_sure() -> None:
    queries = [(0.25, str(i % 5)) for i in range(60)]
    many, few = seen(queries, 80, 5).shift(), seen(queries, 4, 2).shift()
    assert many is not None
    assert few is not None
    assert (many.detected, few.detected) == (True, False)


def test_queries_of_one_class_take_more_to_be_sure() -> None:
    of_one = seen([(0.25, "a")] * 60, 200, 20).shift()
    of_many = seen([(0.25, str(i % 20)) for i in range(60)], 200, 20).shift()
    assert of_one is not None
    assert of_many is not None
    assert (of_one.detected, of_many.detected) == (False, True)


def test_what_is_long_ago_is_forgotten() -> None:
    recent = seen([(0.01, str(i % 5)) for i in range(100)])
    rng = generator(0)
    for i in range(WINDOW):
        recent.add(float(torch.rand((), generator=rng)), str(i % 5))
    found = recent.shift()
    assert found is not None
    assert not found.detected
    assert found.mean_p_value == pytest.approx(0.5, abs=0.06)


def fed(classifier: FewShotClassifier, queries: ImageEmbeddings) -> Shift:
    answers, scores = classifier.answer(queries), classifier.tuning.left_out_scores
    assert answers.p_values is not None
    assert scores is not None
    columns = answers.probabilities.argmax(dim=1).tolist()
    recent = RecentQueries(scores.count, len(classifier.classes))
    for p_value, column in zip(answers.p_values.tolist(), columns, strict=True):
        recent.add(p_value, str(column))
    found = recent.shift()
    assert found is not None
    return found


@pytest.mark.parametrize("shots", [4, 8, 16])
def test_queries_like_the_support_set_seldom_raise_an_alarm_and_others_do(shots: int) -> None:
    alarms = found = 0
    for seed in range(40):
        task = make_task([shots] * 6, seed, queries=20, spread=1.5)
        classifier = FewShotClassifier("gda++").fit(task.classes, task.support)
        alarms += fed(classifier, task.queries).detected
        found += fed(classifier, noise(120, seed)).detected
    assert alarms <= 2
    assert found >= 30
