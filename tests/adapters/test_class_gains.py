"""What more images of one class are worth."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.class_gains import LEAST_CLASS_VOTES, ClassGain, class_gains
from adapters.held_out_votes import HeldOutVotes
from adapters.learning_curve import LearningCurve


def votes_of(hits: list[int], shots: list[int]) -> HeldOutVotes:
    """Classes of so many images of which so many are named rightly; fewer by fewer images."""
    columns = np.repeat(np.arange(len(shots)), shots)
    right = np.stack(
        [
            np.concatenate(
                [np.clip(share * h - np.arange(k), 0, 1) for h, k in zip(hits, shots, strict=True)]
            )
            for share in (1.0, 0.9, 0.8)
        ]
    )
    sizes = np.array(shots)
    levels = np.stack([sizes, np.maximum(sizes // 2, 1), np.maximum(sizes // 4, 1)])
    return HeldOutVotes(columns, levels, right, sizes[columns] > 1)


def gains_of(hits: list[int], shots: list[int], more: int = 8) -> list[ClassGain | None]:
    votes = votes_of(hits, shots)
    curve = LearningCurve.of(votes)
    assert curve is not None
    return class_gains(curve, votes, np.array(shots), more)


def known(gains: list[ClassGain | None]) -> list[ClassGain]:
    found = [one for one in gains if one is not None]
    assert len(found) == len(gains)
    return found


def test_weaker_classes_gain_more() -> None:
    gains = known(gains_of([5, 6, 7, 8], [8] * 4))
    recalls = [one.recall.value for one in gains]
    assert recalls == sorted(recalls)
    worth = [one.gain.value for one in gains]
    assert worth == sorted(worth, reverse=True)


def test_few_votes_are_pooled_towards_all_classes() -> None:
    """A class of 4 and one of 16 that are all right, among classes that are mostly right."""
    gains = known(gains_of([4, 16, 13, 13, 13], [4, 16, 16, 16, 16]))
    common = 13 / 16
    assert common < gains[0].recall.value < gains[1].recall.value < 1
    wide, narrow = (one.recall.high - one.recall.low for one in gains[:2])
    assert wide > narrow


def test_classes_that_differ_more_are_pooled_less() -> None:
    alike = known(gains_of([10, 12, 12, 12, 14], [16] * 5))
    apart = known(gains_of([10, 16, 2, 16, 16], [16] * 5))
    truth = 10 / 16
    assert abs(apart[0].recall.value - truth) < abs(alike[0].recall.value - truth)


def test_more_images_are_worth_more_and_to_small_classes_most() -> None:
    few, many = (known(gains_of([6, 6, 12, 6], [8, 8, 16, 8], more)) for more in (4, 16))
    for one, other in zip(few, many, strict=True):
        assert other.gain.value > one.gain.value
    # As often right, but with twice the images.
    assert few[2].gain.value < few[1].gain.value


def test_interval_holds_the_expected_gain_and_shows_doubt() -> None:
    for one in known(gains_of([3, 6, 8], [8] * 3)):
        assert one.gain.low < one.gain.value < one.gain.high
        assert one.recall.low < one.recall.value < one.recall.high


def test_silent_of_too_few_votes() -> None:
    gains = gains_of([1, 2, 3, 7, 8], [1, 2, LEAST_CLASS_VOTES, 8, 8])
    assert [one is None for one in gains] == [True, True, False, False, False]


def test_images_at_hand_beyond_those_that_voted_count() -> None:
    votes = votes_of([6, 6, 6], [8, 8, 8])
    curve = LearningCurve.of(votes)
    assert curve is not None
    first, second, _ = class_gains(curve, votes, np.array([8, 1000, 8]), 8)
    assert first is not None
    assert second is not None
    assert abs(second.gain.value) < 0.002 < first.gain.value
    assert first.recall.value == pytest.approx(second.recall.value, abs=0.02)
