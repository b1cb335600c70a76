"""Changes of larger classifiers: followed at once, and after a full tuning as if never made."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.change import Change
from adapters.classifier import Answers, FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings, SupportSet
from adapters.familiarity import Fitting
from adapters.heads import HEADS
from adapters.heads.head import FOLLOWED_FROM
from tests.adapters.synthetic import Task, make_task

each_method = pytest.mark.parametrize("method", sorted(HEADS))


def large_task() -> Task:
    return make_task([40, 40, 40, 40])


def in_parts(task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows to begin with, and rows to add: an eighth of each class."""
    rows = torch.arange(len(task.support))
    later = rows % 8 == 0
    return rows[~later], rows[later]


def assert_same_answers(actual: Answers, expected: Answers, tolerance: float) -> None:
    def assert_close(one: Tensor, other: Tensor) -> None:
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)

    assert_close(actual.probabilities, expected.probabilities)
    if expected.ood_scores is not None:
        assert actual.ood_scores is not None
        scale = float(expected.ood_scores.std())
        assert_close(actual.ood_scores / scale, expected.ood_scores / scale)


@each_method
def test_a_followed_change_is_nearly_a_fit_and_a_tuning_makes_it_one(method: str) -> None:
    task = large_task()
    first, later = in_parts(task)
    begun = FewShotClassifier(method, coverage=0.9).fit(task.classes, task.support[first])
    for row in later.tolist():
        begun.update(Change(added=task.support[torch.tensor([row])]))
    removed = task.support.ids[first[:10]]
    begun.update(Change(removed=removed))
    assert len(begun.support) >= FOLLOWED_FROM
    left = task.support[torch.cat([first, later])].without(removed)
    refitted = FewShotClassifier(method, coverage=0.9).fit(task.classes, left, begun.tuning)
    # The same hyperparameters; only λ and spread are those of before.
    nearly, fully = begun.answer(task.queries), refitted.answer(task.queries)
    torch.testing.assert_close(nearly.probabilities, fully.probabilities, rtol=0.1, atol=0.1)
    begun.apply(begun.retuned(begun.classes, begun.held))
    at_once = FewShotClassifier(method, coverage=0.9).fit(task.classes, left)
    assert begun.tuning == at_once.tuning
    assert_same_answers(begun.answer(task.queries), at_once.answer(task.queries), 1e-4)
    expected = at_once.answer(task.queries)
    actual = begun.answer(task.queries)
    assert torch.equal(actual.known, expected.known)
    assert torch.equal(actual.scores.matches.ids[:, :1], expected.scores.matches.ids[:, :1])


@each_method
def test_preparing_changes_nothing_until_it_is_applied(method: str) -> None:
    task = large_task()
    first, later = in_parts(task)
    classifier = FewShotClassifier(method).fit(task.classes, task.support[first])
    before = classifier.answer(task.queries)
    change = Change(added=task.support[later], removed=task.support.ids[first[:3]])
    prepared = classifier.prepare(change)
    tuned = classifier.retuned(classifier.classes, classifier.held)
    after = classifier.answer(task.queries)
    assert torch.equal(before.probabilities, after.probabilities)
    assert len(classifier.support) == len(first)
    classifier.apply(tuned)
    assert torch.equal(before.probabilities, classifier.answer(task.queries).probabilities)
    classifier.apply(prepared)
    assert len(classifier.support) == len(task.support) - 3


@each_method
def test_images_that_are_gone_are_neither_counted_nor_shown(method: str) -> None:
    task = large_task()
    classifier = FewShotClassifier(method).fit(task.classes, task.support)
    removed = task.support.ids[::3]
    classifier.update(Change(removed=removed))
    matches = classifier.answer(task.queries, 200).scores.matches
    assert not torch.isin(matches.ids, removed).any()
    if matches.ids.shape[1]:
        assert matches.ids.shape[1] == len(classifier.support)
    assert torch.equal(classifier.support.ids, task.support.without(removed).ids)
    assert classifier.held.is_sparse
    classifier.apply(classifier.retuned(classifier.classes, classifier.held))
    assert classifier.held.gone is None
    at_once = FewShotClassifier(method).fit(task.classes, task.support.without(removed))
    assert_same_answers(classifier.answer(task.queries), at_once.answer(task.queries), 1e-4)


@each_method
def test_classes_come_and_go(method: str) -> None:
    task = large_task()
    texts = task.classes.texts
    assert texts is not None
    three = ClassSet(task.classes.ids[:3], texts[:3])
    of_last = task.support.labels == task.classes.ids[3]
    classifier = FewShotClassifier(method).fit(three, task.support[~of_last])
    classifier.update(Change(classes=task.classes))
    classifier.update(Change(added=task.support[of_last]))
    second = task.support.labels == task.classes.ids[1]
    left = ClassSet(task.classes.ids[[0, 2, 3]], texts[[0, 2, 3]])
    classifier.update(Change(classes=left, removed=task.support.ids[second]))
    refitted = FewShotClassifier(method).fit(left, task.support[~second], classifier.tuning)
    assert_same_answers(classifier.answer(task.queries), refitted.answer(task.queries), 0.15)
    classifier.apply(classifier.retuned(classifier.classes, classifier.held))
    at_once = FewShotClassifier(method).fit(left, classifier.support)
    assert_same_answers(classifier.answer(task.queries), at_once.answer(task.queries), 1e-4)


def test_near_duplicates_that_are_not_counted_stay_so_until_the_next_tuning() -> None:
    task = large_task()
    copies = task.support[torch.arange(len(task.support)) % 2 == 0]
    twins = type(copies)(copies.ids + 5000, copies.labels, copies.embeddings)
    classifier = FewShotClassifier("gda++").fit(task.classes, task.support.with_added(twins))
    before = classifier.answer(task.queries)
    classifier.update(Change(removed=twins.ids))
    assert before.ood_scores is not None
    after = classifier.answer(task.queries)
    assert after.ood_scores is not None
    torch.testing.assert_close(after.ood_scores, before.ood_scores)


def by_places(task: Task, rows: Tensor) -> tuple[ClassSet, LabelledEmbeddings]:
    """Classes and images as whoever tunes them before they are written knows them."""
    columns = task.classes.columns(task.support.labels[rows])
    places = ClassSet(torch.arange(len(task.classes)), task.classes.texts)
    return places, LabelledEmbeddings(columns, task.support.embeddings[rows])


def with_bursts(task: Task) -> Task:
    """Each image three times over, nearly."""
    rows = torch.arange(len(task.support)).repeat_interleave(3)
    images = task.support.embeddings[rows]
    shaken = ImageEmbeddings(
        *(
            normalize(one + 1e-3 * torch.randn(one.shape, generator=torch.manual_seed(0)), dim=1)
            for one in (images.frozen, images.corrected)
        )
    )
    ids = torch.arange(100, 100 + len(rows))
    return replace(task, support=SupportSet(ids, task.support.labels[rows], shaken))


@each_method
@pytest.mark.parametrize("bursts", [False, True])
def test_what_a_tuning_has_found_is_what_a_fit_would_find(
    method: str, bursts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = with_bursts(large_task()) if bursts else large_task()
    first, later = in_parts(task)
    one, other = (
        FewShotClassifier(method, coverage=0.9).fit(task.classes, task.support[first])
        for _ in range(2)
    )
    tuned = one.tuned(*by_places(task, torch.cat([first, later])))
    assert (tuned.found.distinct is tuned.found.images) is not bursts
    change = Change(added=task.support[later], tuning=tuned.tuning)
    expected = one.prepare(change)
    with monkeypatch.context() as patched:
        patched.setattr(Fitting, "of", None)  # nothing is looked for again
        found = other.prepare(change, tuned.found)
    assert torch.equal(found.ood.copies, expected.ood.copies)
    one.apply(expected)
    other.apply(found)
    assert_same_answers(other.answer(task.queries), one.answer(task.queries), 0)
    # Later changes find their classes by the new identifiers.
    for classifier in (one, other):
        classifier.update(Change(removed=task.support.ids[first[:5]]))
    assert_same_answers(other.answer(task.queries), one.answer(task.queries), 0)


@pytest.mark.parametrize("other", ["image", "class", "order", "negatives"])
def test_what_was_found_of_other_images_is_not_used(other: str) -> None:
    task = large_task()
    first, later = in_parts(task)
    begun = FewShotClassifier().fit(task.classes, task.support[first])
    classes, images = by_places(task, torch.cat([first, later]))
    if other == "image":
        rows = images.embeddings.frozen.clone()
        rows[0] = rows[0].flip(0)
        images = replace(images, embeddings=replace(images.embeddings, frozen=rows))
    if other == "class":
        images = replace(images, labels=images.labels.roll(1))
    if other == "order":
        images = images[torch.arange(len(images)).flip(0)]
    negatives = task.support[first[:3]] if other == "negatives" else None
    found = begun.tuned(classes, images, negatives=negatives).found
    assert found.known_as(task.classes, task.support[torch.cat([first, later])]) is None
