"""What a softmax says beside the detectors: asked where images have one label, exactly left out."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads.auto import Auto
from adapters.multi_label import MultiLabelClassifier
from adapters.multi_label.expected import EXPECTED, OF_SINGLES, expected_at
from adapters.multi_label.head import MultiLabelParameters
from adapters.multi_label.images import MultiLabelImages
from adapters.multi_label.softmax import SoftmaxEvidence
from tests.adapters.multi_label.test_multi_label_classifier import (
    CLASSES,
    labels,
    pictures,
    scene,
    support_of,
)


def alone(shots: int) -> Tensor:
    """Images of one label each, as many of each class."""
    return torch.eye(CLASSES).bool().repeat(shots, 1)


def parameters(fitted: MultiLabelClassifier) -> MultiLabelParameters:
    found = fitted.tuning.parameters
    assert isinstance(found, MultiLabelParameters)
    return found


def taken_from(
    classes: ClassSet, shown: Tensor, images: ImageEmbeddings
) -> tuple[SoftmaxEvidence, MultiLabelImages]:
    some = MultiLabelImages.of(classes, support_of(classes, shown, images).labelled)
    return SoftmaxEvidence.fit(classes, some, 10.0), some


def test_left_out_evidence_is_that_of_a_fit_without_the_image() -> None:
    """But for what was tuned and the centre, which `auto` leaves where they are."""
    classes, looks = scene()
    shown = torch.cat([alone(5), labels(6, 3, 0.7)])
    found, some = taken_from(classes, shown, pictures(looks, shown, 1))
    tuning, single = found.auto.tuning_, some.single.nonzero().flatten()
    assert 0 < len(single) < len(some)
    without = []
    for image in range(len(some)):
        others = single[single != image]
        columns = some.targets[others].long().argmax(dim=1)
        support = SupportSet(others, classes.ids[columns], some.embeddings[others])
        logits = Auto(10.0).fit(classes, support, tuning).score(some.embeddings, 0).logits
        without.append((logits[image] / tuning.temperature).log_softmax(dim=0))
    anew = torch.stack(without) + math.log(CLASSES)
    several = ~some.single
    torch.testing.assert_close(found.left_out[several], anew[several])
    own = some.targets[single].long().argmax(dim=1)
    left, right, fitted = (
        evidence[single, own]
        for evidence in (found.left_out, anew, found.of_queries(some.embeddings))
    )
    assert (left - right).abs().mean() < 0.3 * (fitted - right).abs().mean()


def test_images_of_several_labels_do_not_change_it() -> None:
    classes, looks = scene()
    shown = torch.cat([alone(4), labels(8, 3, 0.9)])
    images = pictures(looks, shown, 1)
    with_them = taken_from(classes, shown, images)[0]
    first = torch.arange(4 * CLASSES)
    without = taken_from(classes, shown[first], images[first])[0]
    queries = pictures(looks, labels(9, 5), 6)
    torch.testing.assert_close(with_them.of_queries(queries), without.of_queries(queries))


@pytest.mark.parametrize("shots", [1, 4])
def test_it_counts_where_images_have_one_label(shots: int) -> None:
    classes, looks = scene()
    single = support_of(classes, alone(shots), pictures(looks, alone(shots), 1))
    fitted = MultiLabelClassifier(10.0).fit(classes, single)
    assert parameters(fitted).softmax > 0.1
    shown = labels(4 * shots, 2, 0.9)
    several = support_of(classes, shown, pictures(looks, shown, 3))
    assert parameters(MultiLabelClassifier(10.0).fit(classes, several)).softmax == 0.0
    # Rare beside many: the share decides, and decides continuously.
    assert expected_at(4, 0.5) == expected_at(4)
    assert expected_at(4, 0.500001).softmax == pytest.approx((0, 0), abs=1e-5)
    assert expected_at(4, 0.500001).names == pytest.approx(EXPECTED[2].names, abs=1e-5)
    assert expected_at(4, 1.0).prior.means == pytest.approx(OF_SINGLES.prior.means)


def test_a_tuning_stays_whatever_its_images_become() -> None:
    """Also one of a version that asked no softmax, and one whose images of one label are gone."""
    classes, looks = scene()
    shown = torch.cat([alone(4), labels(16, 3, 0.9)])
    every = support_of(classes, shown, pictures(looks, shown, 1))
    n_single = 4 * CLASSES
    single, several = every[torch.arange(n_single)], every[torch.arange(n_single, len(every))]
    fitted = MultiLabelClassifier(10.0).fit(classes, single)
    tuning = fitted.tuning
    old = MultiLabelParameters(names=0.4, images=1.0, offset=-1.0)
    queries = pictures(looks, labels(9, 5), 6)
    for change in (Change(added=several), Change(removed=single.ids)):
        fitted.update(change)
        assert fitted.tuning == tuning
        assert bool(fitted.answer(queries, 0).probabilities.isfinite().all())
    before = MultiLabelClassifier(10.0).fit(classes, single, replace(tuning, parameters=old))
    names, images = before.head_.terms_of(queries)[0]
    logits = before.answer(queries, 0).scores.logits
    apart = logits - 0.4 * names - images
    torch.testing.assert_close(apart, apart[:1].expand_as(apart))


def test_no_names_one_class_and_negatives() -> None:
    classes, looks = scene()
    images = pictures(looks, alone(3), 1)
    strange = pictures(-looks, alone(1), 2)
    negatives = SupportSet(1000 + torch.arange(CLASSES), torch.zeros(CLASSES).long(), strange)
    unnamed = ClassSet(classes.ids, None)
    fitted = MultiLabelClassifier(10.0)
    fitted.fit(unnamed, support_of(unnamed, alone(3), images), negatives=negatives)
    answers = fitted.answer(images, 0)
    assert bool((answers.probabilities.argmax(dim=1) == alone(3).int().argmax(dim=1)).all())
    left = fitted.head_.left_out_images()
    assert left.n_negatives == CLASSES
    assert bool(left.probabilities.isfinite().all())
    only = ClassSet(classes.ids[:1], classes.texts[:1] if classes.texts is not None else None)
    one = torch.ones(3, 1).bool()
    support = support_of(only, one, pictures(looks[:1], one, 1))
    answers = MultiLabelClassifier(10.0).fit(only, support).answer(images, 0)
    assert bool(answers.probabilities.isfinite().all())
