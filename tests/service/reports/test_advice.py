"""Advice on a support set: what it says, in which order, and when it is silent."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from service.reports import advice_words as words
from service.reports.advice import MORE
from service.reports.advice_schemas import AdviceOut, EstimateOut
from service.reports.classification_report import classification_report
from service.reports.example import ADVICE_EXAMPLE
from tests.service.reports.test_classification_report import blobs, snapshot


def wide(shots: list[int], noise: float = 2.0) -> tuple[ClassSet, SupportSet]:
    """Classes in 200 dimensions, where no two images are near copies by chance."""
    rng = torch.Generator().manual_seed(len(shots))
    columns = torch.arange(len(shots)).repeat_interleave(torch.tensor(shots))

    def around(width: int) -> torch.Tensor:
        centres = torch.randn(len(shots), width, generator=rng)
        return normalize(
            centres[columns] + noise * torch.randn(len(columns), width, generator=rng), dim=1
        )

    texts = normalize(torch.randn(len(shots), 200, generator=rng), dim=1)
    classes = ClassSet(torch.arange(len(shots)) + 7, texts)
    embeddings = ImageEmbeddings(around(200), around(200))
    return classes, SupportSet(torch.arange(len(columns)), columns + 7, embeddings)


def advice(
    classes: ClassSet, support: SupportSet, method: str = "tip-adapter++", n_bare: int = 0
) -> AdviceOut:
    return classification_report(snapshot(classes, support, method, n_bare)).advice


@pytest.mark.parametrize("method", ["auto", "tip-adapter++", "gda++", "tip-x", "ape"])
def test_curve_goes_by_the_votes_of_the_report(method: str) -> None:
    classes, support = blobs([8, 8, 8, 8], noise=1.6)
    report = classification_report(snapshot(classes, support, method))
    curve = report.advice.curve
    assert curve is not None
    assert curve.shots == pytest.approx(8)
    assert [one.shots for one in curve.measured] == pytest.approx([8, 4, 2, 1])
    assert curve.measured[0].accuracy == pytest.approx(report.accuracy)
    assert curve.measured[-1].accuracy < curve.measured[0].accuracy
    at = [one.shots for one in curve.expected]
    assert at == sorted(at)
    assert (at[0], at[-1]) == pytest.approx((1, 8 + MORE))
    now = curve.expected[at.index(curve.shots)]
    assert (now.value, now.low, now.high) == (
        curve.accuracy.value,
        curve.accuracy.low,
        curve.accuracy.high,
    )
    end = curve.expected[-1].value
    assert curve.gain.value == pytest.approx(end - curve.accuracy.value, abs=1e-6)


def test_classes_are_ordered_by_need() -> None:
    classes, support = blobs([8, 1, 12, 8, 2], noise=1.8)
    found = advice(classes, support, n_bare=1)
    assert found.curve is not None
    assert [one.n_images for one in found.classes[:3]] == [0, 1, 2]
    assert all(one.gain is None and one.recall is None for one in found.classes[:3])
    gains = [one.gain.value for one in found.classes[3:] if one.gain is not None]
    assert len(gains) == 3
    assert gains == sorted(gains, reverse=True)
    for one in found.classes:
        if one.gain is None:
            assert "judged" in one.text or "no images" in one.text
        else:
            assert f"{MORE} more images of it are worth about" in one.text


@pytest.mark.parametrize(
    ("shots", "method", "told"),
    [
        ([], "auto", words.ONE_CLASS),
        ([1], "auto", words.ONE_CLASS),
        ([30], "auto", words.ONE_CLASS),
        ([1, 1, 1], "auto", words.TOO_FEW),
        ([2] * 40, "auto", words.TOO_FEW),
        ([3, 3, 3], "auto", words.TOO_FEW),
        ([40, 1], "auto", words.TOO_FEW),
        ([8, 8], "zero-shot", words.NAMES_ALONE),
    ],
)
def test_silent_where_nothing_can_be_told(shots: list[int], method: str, told: str) -> None:
    if shots:
        classes, support = blobs(shots)
    else:
        none = torch.empty(0, dtype=torch.int64)
        classes, support = ClassSet(none, None), SupportSet.empty(12, 20)
    found = advice(classes, support, method)
    assert found.text == told
    assert found.verdict == "cannot tell"
    assert found.curve is None
    assert len(found.classes) == len(shots)
    assert all(one.gain is None for one in found.classes)


def test_names_without_meaning_and_very_unequal_classes() -> None:
    classes, support = wide([60, 3, 9, 1, 20])
    found = advice(ClassSet(classes.ids, None), support, "auto", n_bare=2)
    assert found.curve is not None
    assert found.curve.shots == pytest.approx(math.prod([60, 3, 9, 1, 20]) ** 0.2)
    assert len(found.classes) == 7


def test_hundreds_of_classes() -> None:
    found = advice(*wide([3] * 300))
    assert found.curve is not None
    assert len(found.classes) == 300
    assert len({one.label for one in found.classes}) == 300


def test_more_images_than_are_looked_at() -> None:
    """Gains are those of the images at hand, not of the part that votes."""
    classes, support = wide([2600, 2600], noise=8.0)
    found = advice(classes, support, "gda++")
    assert found.curve is not None
    assert found.curve.shots == pytest.approx(2600)
    assert found.curve.measured[0].shots == pytest.approx(1024)
    assert found.verdict == "enough"


def mislabelled_and_copied() -> tuple[ClassSet, SupportSet, int, int]:
    """Three classes, with one image of another class and one image twice."""
    classes, support = blobs([10, 10, 10], noise=0.3)
    labels = support.labels.clone()
    stray = 5
    labels[stray] = next(i for i in classes.ids.tolist() if i != labels[stray])
    first = 9
    keys = support.embeddings
    again = ImageEmbeddings(keys.frozen[[first]], normalize(keys.corrected[[first]] + 1e-3, dim=1))
    copy = SupportSet(torch.tensor([9000]), labels[[first]], again)
    moved = SupportSet(support.ids, labels, keys)
    return classes, moved.with_added(copy), int(support.ids[stray]), int(support.ids[first])


def test_images_that_can_go_with_their_reasons() -> None:
    classes, support, stray, first = mislabelled_and_copied()
    found = advice(classes, support, "gda++")
    reasons = [one.reason for one in found.can_go]
    assert reasons == sorted(reasons, key=["near copy", "covered"].index)
    assert set(reasons) == {"near copy", "covered"}
    assert found.n_can_go == len(found.can_go)
    ids = [int(one.image_id, 16) for one in found.can_go]
    assert len(set(ids)) == len(ids)
    assert [int(one.image_id, 16) for one in found.look_at] == [stray]
    assert found.look_at[0].named != found.look_at[0].label
    assert stray not in ids
    [copied] = [one for one in found.can_go if 9000 in {int(one.image_id, 16)}]
    assert copied.reason == "near copy"
    assert int(copied.similar.image_id, 16) == first
    for one in found.can_go:
        assert one.similar.label == one.label
        # What covers it stays, and is no suspect.
        assert int(one.similar.image_id, 16) not in {*ids, stray}


def estimate(value: float, low: float, high: float) -> EstimateOut:
    return EstimateOut(value=value, low=low, high=high)


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        (estimate(0.003, 0.001, 0.008), "enough"),
        (estimate(0.006, -0.001, 0.02), "nearly enough"),
        (estimate(0.02, 0.0, 0.04), "not enough"),
    ],
)
def test_verdict_goes_by_a_point(gain: EstimateOut, verdict: str) -> None:
    assert words.verdict_on(gain) == verdict


@pytest.mark.parametrize(
    ("gain", "text"),
    [
        (estimate(0.0204, 0.0, 0.0415), "2 points (0 to 4)"),
        (estimate(0.0104, -0.013, 0.031), "1 point (−1 to 3)"),
        (estimate(0.0041, -0.0002, 0.0088), "0.4 points (0 to 0.9)"),
        (estimate(0.0, 0.0, 0.0), "0 points (0 to 0)"),
    ],
)
def test_gains_in_words(gain: EstimateOut, text: str) -> None:
    assert words.points(gain) == text


def test_example_is_what_would_be_said() -> None:
    example = AdviceOut.model_validate(ADVICE_EXAMPLE)
    assert example.curve is not None
    assert example.verdict == words.verdict_on(example.curve.gain)
    assert example.text == words.verdict_text(example.verdict, example.curve, example.more)
    for one in example.classes:
        assert one.text == words.need_text(one, example.more, judged=True)
