"""The measures of both embeddings together: which of them there are, and of what."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.corrections import BeforeProjection, Uncorrected
from adapters.embeddings import ImageEmbeddings
from adapters.measures.alignment import alignment, relative_alignment
from adapters.measures.diagnosis import EmbeddingMeasures, diagnose
from adapters.measures.modality_gap import modality_gap
from adapters.measures.overlap import overlap
from adapters.measures.uniformity import uniformity

LABELS = torch.arange(5).repeat_interleave(8)


def rows(labels: Tensor, noise: float, width: int, seed: int) -> Tensor:
    """Unit vectors around centres that are the same for every seed."""
    centres = torch.randn(5, width, generator=torch.Generator().manual_seed(width))
    generator = torch.Generator().manual_seed(seed)
    return normalize(
        centres[labels] + noise * torch.randn(len(labels), width, generator=generator), dim=1
    )


TEXTS = rows(torch.arange(5), 0.5, 12, 0)


def test_a_better_embedding_is_better_in_every_measure() -> None:
    embeddings = ImageEmbeddings(rows(LABELS, 1.6, 12, 1), rows(LABELS, 0.7, 12, 2))
    found = diagnose(embeddings, LABELS, TEXTS, joint=True)
    before, after = found.frozen, found.corrected
    assert found.is_corrected
    assert found.joint
    assert after.neighbours.accuracy > before.neighbours.accuracy
    assert after.overlap.area < before.overlap.area
    assert after.similarity.paired > before.similarity.paired
    assert before.texts is not None
    assert after.texts is not None
    assert after.texts.alignment < before.texts.alignment
    assert after.texts.relative_alignment < before.texts.relative_alignment < 0
    # What each of them is of.
    images = embeddings.corrected
    assert after.texts.alignment == alignment(images, TEXTS, LABELS)
    assert after.texts.relative_alignment == relative_alignment(images, TEXTS, LABELS)
    assert after.texts.modality_gap == modality_gap(images, TEXTS[LABELS])
    assert after.texts.uniformity == uniformity(torch.cat([images, TEXTS]))
    assert after.uniformity == uniformity(images)
    assert torch.equal(after.overlap.paired, overlap(images, LABELS).paired)


def test_images_that_change_sides_are_counted() -> None:
    embeddings = ImageEmbeddings(rows(LABELS, 1.6, 12, 1), rows(LABELS, 1.0, 12, 2))
    found = diagnose(embeddings, LABELS, None, joint=True)
    sides = list(
        zip(
            found.frozen.neighbours.right.tolist(),
            found.corrected.neighbours.right.tolist(),
            strict=True,
        )
    )
    assert found.gained == sides.count((False, True)) > 0
    assert found.lost == sides.count((True, False)) > 0
    difference = found.corrected.neighbours.accuracy - found.frozen.neighbours.accuracy
    assert found.gained - found.lost == pytest.approx(len(LABELS) * difference)


def test_texts_are_compared_with_what_shares_their_space() -> None:
    other = ImageEmbeddings(rows(LABELS, 1.0, 12, 1), rows(LABELS, 1.0, 20, 2))
    found = diagnose(other, LABELS, TEXTS, joint=False)
    assert found.frozen.texts is not None
    assert found.corrected.texts is None
    nameless = diagnose(other, LABELS, None, joint=False)
    assert nameless.frozen.texts is nameless.corrected.texts is None


def test_one_embedding_is_measured_once() -> None:
    keys = rows(LABELS, 1.0, 12, 1)
    found = diagnose(ImageEmbeddings(keys, keys.clone()), LABELS, TEXTS, joint=False)
    assert not found.is_corrected
    assert found.joint
    assert found.corrected is found.frozen
    assert found.corrected.texts is not None
    assert (found.gained, found.lost) == (0, 0)


@pytest.mark.parametrize("n", [0, 1])
def test_there_need_not_be_enough_images(n: int) -> None:
    keys = rows(LABELS, 1.0, 12, 1)[:n]
    measured = EmbeddingMeasures.of(keys, LABELS[:n], TEXTS)
    assert math.isnan(measured.uniformity)
    assert math.isnan(measured.neighbours.accuracy)
    assert math.isnan(measured.variance) == (n == 0)
    assert measured.texts is not None
    for field in fields(measured.texts):
        assert math.isnan(getattr(measured.texts, field.name)) == (n == 0)


def test_a_feature_before_the_projection_is_not_in_the_space_of_texts() -> None:
    assert Uncorrected().joint
    assert not BeforeProjection().joint
