"""The classifier of several labels: rows of an image are one image, whatever becomes of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import Tuning
from adapters.multi_label import MultiLabelClassifier
from adapters.multi_label.images import MultiLabelImages
from tests.adapters.synthetic import generator

WIDTH, CLASSES = 24, 4


def scene(seed: int = 0) -> tuple[ClassSet, Tensor]:
    """Classes with names, and what each looks like."""
    rng = generator(seed)
    looks = normalize(torch.randn(CLASSES, WIDTH, generator=rng), dim=1)
    texts = normalize(looks + 0.8 * torch.randn(CLASSES, WIDTH, generator=rng) / WIDTH**0.5, dim=1)
    return ClassSet(10 + torch.arange(CLASSES), texts), looks


def pictures(looks: Tensor, targets: Tensor, seed: int) -> ImageEmbeddings:
    """Images that show these classes, and noise."""
    noise = torch.randn(len(targets), WIDTH, generator=generator(seed)) / WIDTH**0.5
    rows = normalize(targets.float() @ looks + 0.5 * noise, dim=1)
    return ImageEmbeddings(rows, rows.clone())


def support_of(classes: ClassSet, targets: Tensor, images: ImageEmbeddings) -> SupportSet:
    """A row for each label of each image."""
    at, column = targets.nonzero(as_tuple=True)
    return SupportSet(torch.arange(len(at)), classes.ids[column], images[at])


def labels(n: int, seed: int, share: float = 0.5) -> Tensor:
    """Which classes n images show, one of them at least."""
    rng = generator(seed)
    targets = torch.rand(n, CLASSES, generator=rng) < share
    targets[torch.arange(n), torch.randint(CLASSES, (n,), generator=rng)] = True
    return targets


def test_what_an_image_shows_is_found_beside_what_else_it_shows() -> None:
    classes, looks = scene()
    shown = labels(40, 1)
    fitted = MultiLabelClassifier(10.0)
    fitted.fit(classes, support_of(classes, shown, pictures(looks, shown, 2)))
    asked = labels(60, 3)
    asked[:10] = False  # of nothing
    answers = fitted.answer(pictures(looks, asked, 4), 0)
    assert answers.several is not None
    given = answers.several.labels
    assert (given == asked).double().mean() > 0.9
    assert torch.equal(given, answers.probabilities >= answers.several.thresholds)
    assert torch.equal(answers.known, given.any(dim=1))
    sums = answers.probabilities.sum(dim=1)
    assert sums.max() > 1.5
    assert sums.min() < 0.5
    torch.testing.assert_close(answers.scores.logits.sigmoid(), answers.probabilities)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), shots=st.integers(1, 12))
def test_rows_of_an_image_are_put_together_in_any_order(seed: int, shots: int) -> None:
    classes, looks = scene()
    shown = labels(shots, seed)
    support = support_of(classes, shown, pictures(looks, shown, seed + 1))
    order = torch.randperm(len(support), generator=generator(seed))
    found = MultiLabelImages.of(classes, support[order].labelled)
    assert len(found) == shots
    for row, image in enumerate(found.image_of.tolist()):
        assert torch.equal(found.embeddings.frozen[image], support.embeddings.frozen[order[row]])
        column = classes.columns(support.labels[order[row]].unsqueeze(0))
        assert bool(found.targets[image, column])
    assert int(found.targets.sum()) == len(support)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_leave_one_out_leaves_an_image_out_with_all_its_labels(seed: int) -> None:
    """What an image is given does not change when its own labels do."""
    classes, looks = scene()
    shown = labels(10, seed)
    images = pictures(looks, shown, seed + 1)
    fitted = MultiLabelClassifier(10.0)
    tuning = fitted.tune(classes, support_of(classes, shown, images).labelled)
    support = support_of(classes, shown, images)
    logits = fitted.fit(classes, support, tuning).left_out_probabilities()
    rows = (support.embeddings.frozen == images.frozen[0]).all(dim=1)
    assert int(rows.sum()) == int(shown[0].sum())
    first = logits[rows]
    torch.testing.assert_close(first, first[:1].expand_as(first))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**16), names=st.booleans())
def test_a_change_ends_in_the_fit_of_what_is_left(seed: int, names: bool) -> None:
    classes, looks = scene()
    if not names:
        classes = ClassSet(classes.ids, None)
    shown = labels(30, seed)
    images = pictures(looks, shown, seed + 1)
    every = support_of(classes, shown, images)
    come = torch.rand(len(every), generator=generator(seed)) < 0.4
    stay = torch.rand(len(every), generator=generator(seed + 1)) < 0.7
    strange = ImageEmbeddings(*(2 * [normalize(torch.randn(3, WIDTH), dim=1)]))
    negatives = SupportSet(1000 + torch.arange(3), torch.zeros(3).long(), strange)
    fitted = MultiLabelClassifier(10.0)
    tuning = fitted.tune(classes, every.labelled)
    fitted.fit(classes, every[~come], tuning)
    fitted.update(Change(added=every[come], removed=every.ids[~come & ~stay], negatives=negatives))
    left = every[~come & stay].with_added(every[come])
    anew = MultiLabelClassifier(10.0).fit(classes, left, tuning, negatives=negatives)
    queries = pictures(looks, labels(5, seed + 2), seed + 3)
    ours, theirs = fitted.answer(queries, 3), anew.answer(queries, 3)
    torch.testing.assert_close(ours.probabilities, theirs.probabilities)
    assert ours.several is not None
    assert theirs.several is not None
    torch.testing.assert_close(ours.several.thresholds, theirs.several.thresholds)
    near = ours.scores.matches.similarities  # rows of an image are equally near, in any order
    torch.testing.assert_close(near, theirs.scores.matches.similarities)


def test_negatives_are_images_of_no_label() -> None:
    classes, looks = scene()
    shown = labels(30, 0)
    support = support_of(classes, shown, pictures(looks, shown, 1))
    # A negative that looks half like the first class.
    look = normalize(looks[0] + torch.randn(WIDTH, generator=generator(5)) / WIDTH**0.5, dim=0)
    rows = normalize(look + 0.05 * torch.randn(8, WIDTH, generator=generator(6)), dim=1)
    negatives = SupportSet(
        500 + torch.arange(8), torch.zeros(8).long(), ImageEmbeddings(rows, rows)
    )
    query = ImageEmbeddings(look.unsqueeze(0), look.unsqueeze(0))
    without = MultiLabelClassifier(10.0).fit(classes, support).answer(query, 4)
    found = MultiLabelClassifier(10.0).fit(classes, support, negatives=negatives).answer(query, 4)
    assert float(found.probabilities[0, 0]) < float(without.probabilities[0, 0])
    assert set(found.scores.matches.ids[0].tolist()) <= set(negatives.ids.tolist())


def test_one_image_a_class_and_names_alone_answer() -> None:
    classes, looks = scene()
    shown = torch.eye(CLASSES).bool()[:2]
    support = support_of(classes, shown, pictures(looks, shown, 1))
    fitted = MultiLabelClassifier(10.0).fit(classes, support)
    assert fitted.tuning.votes == 0
    answers = fitted.answer(pictures(looks, labels(9, 2), 3), 0)
    assert bool(answers.probabilities.isfinite().all())
    nothing = MultiLabelClassifier(10.0).fit(classes, SupportSet.empty(WIDTH, WIDTH))
    answers = nothing.answer(pictures(looks, labels(9, 2), 3), 0)
    assert bool(answers.probabilities.isfinite().all())
    assert nothing.nbytes > 0


def test_images_beyond_the_most_are_scored_by_those_that_are_fitted_to() -> None:
    classes, looks = scene()
    shown = labels(50, 0)
    found = MultiLabelImages.of(
        classes, support_of(classes, shown, pictures(looks, shown, 1)).labelled
    )
    few = found.at_most(12)
    assert len(few) <= 12
    assert bool(few.targets.any(dim=0).all())
    assert int((few.image_of >= 0).sum()) == int(few.targets.sum())
    assert found.at_most(50) is found
    for most in (1, CLASSES - 1):  # one a class would be more
        assert len(found.at_most(most)) == most


def test_a_tuning_of_another_head_is_refused() -> None:
    classes, looks = scene()
    shown = labels(6, 0)
    support = support_of(classes, shown, pictures(looks, shown, 1))
    with pytest.raises(ValueError, match="another head"):
        MultiLabelClassifier(10.0).fit(classes, support, Tuning())
