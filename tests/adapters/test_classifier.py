"""What a classifier adds to its head: thresholds, prediction sets and the unknown."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.functional import normalize

from adapters.change import Change
from adapters.classifier import Answers, FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import HEADS
from adapters.out_of_distribution import (
    RelativeMahalanobis,
    comparable,
    lower_quantile,
    rejection_threshold,
)
from adapters.tuning.left_out_scores import LeftOutScores
from adapters.tuning.votes import Votes
from tests.adapters.synthetic import (
    CORRECTED_WIDTH,
    WIDTH,
    Task,
    generator,
    make_task,
    noise,
    photos,
    tuned,
)

each_method = pytest.mark.parametrize("method", sorted(HEADS))


def fitted(
    task: Task, method: str = "auto", rejection: float = 0.1, coverage: float | None = 0.8
) -> FewShotClassifier:
    classifier = FewShotClassifier(method, 100.0, false_rejection_rate=rejection, coverage=coverage)
    return classifier.fit(task.classes, task.support)


def assert_same_answers(actual: Answers, expected: Answers) -> None:
    torch.testing.assert_close(actual.probabilities, expected.probabilities, rtol=1e-4, atol=1e-5)
    if expected.ood_scores is None:
        assert actual.ood_scores is None
    else:
        torch.testing.assert_close(actual.ood_scores, expected.ood_scores, rtol=1e-4, atol=1e-3)
    assert torch.equal(actual.known, expected.known)
    if expected.prediction_sets is None:
        assert actual.prediction_sets is None
    else:
        assert actual.prediction_sets is not None
        assert torch.equal(actual.prediction_sets, expected.prediction_sets)


def with_thresholds(
    classifier: FewShotClassifier, rejection: float | None, conformal: float | None
) -> FewShotClassifier:
    tuning = replace(
        classifier.tuning,
        rejection_threshold=rejection,
        conformal_threshold=conformal,
        left_out_scores=None,  # as tunings were stored that knew no p-values
    )
    classifier.update(Change(tuning=tuning))
    return classifier


# Answers follow from the thresholds.


@each_method
def test_scores_and_probabilities_are_those_of_the_head(method: str) -> None:
    task = make_task([4, 3, 5])
    answers = fitted(task, method).answer(task.queries, 2)
    head = HEADS[method](100.0).fit(task.classes, task.support)
    scores = head.score(task.queries, 2)
    torch.testing.assert_close(answers.scores.logits, scores.logits)
    torch.testing.assert_close(answers.probabilities, head.probabilities(scores.logits))
    assert torch.equal(answers.scores.matches.ids, scores.matches.ids)


@settings(max_examples=10, deadline=None)
@given(rejection=st.floats(-10, 10), conformal=st.floats(0, 1))
def test_known_and_sets_are_comparisons_with_the_thresholds(
    rejection: float, conformal: float
) -> None:
    task = make_task([4, 3, 5])
    classifier = with_thresholds(fitted(task), rejection, conformal)
    answers = classifier.answer(task.queries)
    assert answers.ood_scores is not None
    assert answers.prediction_sets is not None
    assert torch.equal(answers.known, answers.ood_scores >= rejection)
    assert answers.p_values is None
    assert torch.equal(answers.prediction_sets, answers.probabilities >= conformal)


def test_out_of_distribution_scores_are_those_of_the_corrected_embeddings() -> None:
    task = make_task([4, 0, 5, 1])
    answers = fitted(task).answer(task.queries)
    known = task.classes.with_images(task.support.labels)
    expected = RelativeMahalanobis().fit(
        task.support.embeddings.corrected, known.columns(task.support.labels), 3
    )
    torch.testing.assert_close(answers.ood_scores, expected.scores(task.queries.corrected))


def test_without_thresholds_all_is_known_and_there_are_no_sets() -> None:
    task = make_task([4, 3, 5])
    answers = with_thresholds(fitted(task), None, None).answer(task.queries)
    assert answers.ood_scores is not None
    assert bool(answers.known.all())
    assert answers.prediction_sets is None


def test_an_answer_of_a_class_without_images_is_known() -> None:
    task = make_task([4, 0, 5])
    assert task.classes.texts is not None
    classifier = with_thresholds(fitted(task), 1e9, None)
    # Pictures of what the name of the second class says.
    name = task.classes.texts[1:2]
    frozen = torch.cat([name, task.classes.texts[:1]])
    answers = classifier.answer(ImageEmbeddings(frozen, noise(2, 1).corrected))
    assert answers.probabilities.argmax(dim=1).tolist() == [1, 0]
    assert answers.known.tolist() == [True, False]


@settings(max_examples=15, deadline=None)
@given(
    shots=st.lists(st.integers(1, 12), min_size=1, max_size=4).filter(lambda s: max(s) > 1),
    rate=st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.3, 0.7]),
    seed=st.integers(0, 1000),
)
def test_an_image_is_known_where_its_p_value_is_above_the_rate(
    shots: list[int], rate: float, seed: int
) -> None:
    task = make_task(shots, seed)
    answers = fitted(task, rejection=rate).answer(task.queries)
    assert answers.p_values is not None
    assert torch.equal(answers.known, answers.p_values > rate)


def test_there_is_no_p_value_where_there_is_nothing_to_tell_by() -> None:
    assert fitted(make_task([1, 1, 1])).answer(noise(3, 1)).p_values is None
    task = make_task([4, 0, 5])
    assert task.classes.texts is not None
    frozen = torch.cat([task.classes.texts[1:2], task.classes.texts[:1]])
    answers = fitted(task).answer(ImageEmbeddings(frozen, noise(2, 1).corrected))
    assert answers.probabilities.argmax(dim=1).tolist() == [1, 0]
    assert answers.p_values is not None
    assert answers.p_values.isnan().tolist() == [True, False]
    assert bool(answers.known[0])


def test_an_answer_does_not_depend_on_its_batch() -> None:
    task = make_task([4, 3, 0, 5], seed=1)
    classifier = fitted(task)
    queries = noise(25, 1)
    together = classifier.answer(queries)
    for i in range(25):
        alone = classifier.answer(queries[i : i + 1])
        torch.testing.assert_close(
            alone.probabilities[0], together.probabilities[i], rtol=1e-4, atol=1e-5
        )
        assert alone.ood_scores is not None
        assert together.ood_scores is not None
        torch.testing.assert_close(
            alone.ood_scores[0], together.ood_scores[i], rtol=1e-4, atol=1e-3
        )


def test_no_queries_get_no_answers() -> None:
    answers = fitted(make_task([4, 3])).answer(noise(0, 0))
    assert answers.probabilities.shape == (0, 2)
    assert answers.known.shape == (0,)


# Tuning.


def test_the_thresholds_are_quantiles_of_the_votes() -> None:
    task = make_task([6, 0, 7, 1, 5], seed=2)
    classifier = FewShotClassifier("tip-adapter++", false_rejection_rate=0.2, coverage=0.75)
    tuning = classifier.tune(task.classes, task.support.labelled)
    head = HEADS["tip-adapter++"]()
    columns = task.classes.columns(task.support.labels)
    votes = Votes.of(columns, 5)
    assert len(votes) == 18
    logits = head.left_out(task.classes, task.support.labelled, tuning)[votes.rows]
    own = (logits / tuning.temperature).softmax(dim=1)[torch.arange(18), votes.targets]
    assert tuning.conformal_threshold == lower_quantile(own, 0.25)
    known = task.classes.with_images(task.support.labels)
    ood = RelativeMahalanobis().fit(
        task.support.embeddings.corrected, known.columns(task.support.labels), 4
    )
    # Each is compared with one image less of its class than a query is.
    shots = torch.tensor([6, 0, 7, 1, 5])[votes.targets]
    scores = comparable(ood.left_out()[votes.rows], shots)
    assert tuning.rejection_threshold == rejection_threshold(scores, 0.2, 15)
    expected = replace(
        head.tune(task.classes, task.support.labelled),
        rejection_threshold=tuning.rejection_threshold,
        conformal_threshold=tuning.conformal_threshold,
        left_out_scores=LeftOutScores.of(scores, 0.2, 15),
    )
    assert tuning == expected


def test_no_coverage_asked_for_is_no_threshold() -> None:
    task = make_task([6, 6])
    assert fitted(task, coverage=None).tuning.conformal_threshold is None


def test_no_false_rejections_leave_everything_known() -> None:
    task = make_task([6, 6])
    classifier = fitted(task, rejection=0.0)
    assert classifier.tuning.rejection_threshold is None
    far = noise(50, 3)
    answers = classifier.answer(far)
    assert answers.ood_scores is not None
    assert bool(answers.known.all())


def test_too_few_votes_reject_none_of_their_own_and_put_every_class_in_the_set() -> None:
    task = make_task([2, 2])
    classifier = fitted(task, rejection=0.1, coverage=0.9)
    scores = RelativeMahalanobis().fit(
        task.support.embeddings.corrected, task.classes.columns(task.support.labels), 2
    )
    threshold = classifier.tuning.rejection_threshold
    assert threshold is not None
    assert threshold <= float(scores.left_out().min())
    assert classifier.tuning.conformal_threshold == 0.0
    answers = classifier.answer(noise(20, 1))
    assert answers.prediction_sets is not None
    assert bool(answers.prediction_sets.all())


def test_one_image_a_class_rejects_nothing() -> None:
    task = make_task([1, 1, 1])
    classifier = fitted(task, rejection=0.5, coverage=0.9)
    assert classifier.tuning.rejection_threshold is None
    assert bool(classifier.answer(noise(20, 1)).known.all())


def test_no_coverage_at_all_and_all_rejections_are_still_thresholds() -> None:
    task = make_task([6, 6])
    tuning = fitted(task, rejection=1.0, coverage=0.0).tuning
    assert tuning.rejection_threshold is not None
    assert tuning.conformal_threshold is not None


@settings(max_examples=40, deadline=None)
@given(
    method=st.sampled_from(sorted(HEADS)),
    shots=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    names=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_any_support_set_can_be_fitted_and_asked(
    method: str, shots: list[int], seed: int, names: bool, dtype: torch.dtype
) -> None:
    task = make_task(shots, seed, names=names, dtype=dtype)
    classifier = fitted(task, method)
    answers = classifier.answer(task.queries)
    assert (answers.ood_scores is None) == (max(shots) < 2)
    assert (classifier.ood_ is None) == (max(shots) < 2)
    if answers.ood_scores is not None:
        assert bool(answers.ood_scores.isfinite().all())
    assert answers.prediction_sets is not None
    assert answers.known.shape == (len(task.queries),)
    left_out = classifier.left_out_probabilities()
    assert left_out.shape == (sum(shots), len(shots))
    torch.testing.assert_close(left_out.sum(dim=1), torch.ones(sum(shots), dtype=left_out.dtype))


def test_tune_leaves_the_fitted_head_unchanged() -> None:
    task = make_task([4, 3, 5])
    classifier = fitted(task)
    before, tuning = classifier.answer(task.queries), classifier.tuning
    classifier.tune(task.classes, task.draw([5, 5, 5], 1).labelled)
    assert classifier.tuning is tuning
    assert_same_answers(classifier.answer(task.queries), before)


# Change.


def test_an_update_is_fitting_what_is_left() -> None:
    task = make_task([5, 4, 6])
    classifier = fitted(task)
    added, removed = task.draw([2, 0, 1], 1, 1000), task.support.ids[:4]
    left = task.support.without(removed).with_added(added)
    tuning = classifier.tune(task.classes, left.labelled)
    classifier.update(Change(added=added, removed=removed, tuning=tuning))
    expected = FewShotClassifier(coverage=0.8).fit(task.classes, left, tuning)
    assert_same_answers(classifier.answer(task.queries), expected.answer(task.queries))
    assert torch.equal(classifier.support.ids, left.ids)


def test_out_of_distribution_scores_come_and_go_with_a_second_image() -> None:
    task = make_task([1, 1])
    classifier = fitted(task)
    assert classifier.answer(task.queries).ood_scores is None
    more = task.draw([1, 0], 1, 1000)
    classifier.update(Change(added=more))
    assert classifier.answer(task.queries).ood_scores is not None
    classifier.update(Change(removed=more.ids))
    assert classifier.answer(task.queries).ood_scores is None
    classifier.update(Change(removed=task.support.ids))
    assert classifier.answer(task.queries).ood_scores is None


def test_out_of_distribution_scores_stay_when_only_classes_or_tuning_change() -> None:
    task = make_task([4, 0, 5])
    order = torch.tensor([2, 0])
    assert task.classes.texts is not None
    with_images = ClassSet(task.classes.ids[order], task.classes.texts[order])
    classifier = FewShotClassifier(false_rejection_rate=0.2).fit(with_images, task.support)
    before = classifier.answer(task.queries)
    classifier.update(Change(classes=task.classes))
    after = classifier.answer(task.queries)
    torch.testing.assert_close(after.ood_scores, before.ood_scores)
    expected = FewShotClassifier(false_rejection_rate=0.2).fit(
        task.classes, task.support, classifier.tuning
    )
    assert_same_answers(after, expected.answer(task.queries))
    with_thresholds(classifier, None, None)
    torch.testing.assert_close(classifier.answer(task.queries).ood_scores, before.ood_scores)


def test_a_refused_update_leaves_the_answers_alone() -> None:
    task = make_task([5, 4, 6])
    classifier = fitted(task)
    before = classifier.answer(task.queries)
    with pytest.raises(KeyError):
        classifier.update(Change(removed=torch.tensor([12345])))
    assert_same_answers(classifier.answer(task.queries), before)


def test_left_out_probabilities_are_those_of_the_head() -> None:
    task = make_task([5, 4, 0, 1])
    classifier = fitted(task)
    logits = classifier.head_.left_out(task.classes, task.support.labelled, classifier.tuning)
    expected = (logits / classifier.tuning.temperature).softmax(dim=1)
    torch.testing.assert_close(classifier.left_out_probabilities(), expected)


def test_a_classifier_without_images_knows_everything_and_rejects_nothing() -> None:
    task = make_task([0, 0])
    empty = SupportSet.empty(WIDTH, CORRECTED_WIDTH)
    classifier = FewShotClassifier(coverage=0.9).fit(task.classes, empty)
    answers = classifier.answer(task.queries)
    assert answers.ood_scores is None
    assert bool(answers.known.all())
    assert answers.prediction_sets is not None
    assert bool(answers.prediction_sets.all())
    assert classifier.left_out_probabilities().shape == (0, 2)


# What is promised holds for new images.

N_TASKS = 40


def share(masks: list[Tensor]) -> float:
    return float(torch.cat(masks).double().mean())


@pytest.mark.parametrize("method", ["tip-adapter++", "gda++", "auto", "zero-shot"])
@pytest.mark.parametrize("coverage", [0.7, 0.9])
def test_prediction_sets_hold_the_true_class_as_often_as_asked(
    method: str, coverage: float
) -> None:
    holds, sizes = [], []
    for seed in range(N_TASKS):
        task = make_task([12] * 4, seed, queries=25, spread=1.5)
        answers = fitted(task, method, coverage=coverage).answer(task.queries)
        assert answers.prediction_sets is not None
        holds.append(answers.prediction_sets.gather(1, task.truth.unsqueeze(1)))
        sizes.append(answers.prediction_sets.sum(dim=1))
    assert share(holds) == pytest.approx(coverage, abs=0.05)
    assert share(sizes) < 3.0  # not by naming all four


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_images_of_the_classes_are_rejected_as_rarely_as_asked_and_others_far_more(
    rate: float,
) -> None:
    own, others = [], []
    for seed in range(N_TASKS):
        everything = make_task([12] * 6, seed, queries=25)
        seen = everything.support.labels != everything.classes.ids[4]
        seen &= everything.support.labels != everything.classes.ids[5]
        assert everything.classes.texts is not None
        classes = ClassSet(everything.classes.ids[:4], everything.classes.texts[:4])
        classifier = FewShotClassifier("tip-adapter++", false_rejection_rate=rate)
        rejected = (
            ~classifier.fit(classes, everything.support[seen]).answer(everything.queries).known
        )
        own.append(rejected[everything.truth < 4])
        others.append(rejected[everything.truth >= 4])
    assert share(own) == pytest.approx(rate, abs=0.05)
    assert share(others) > share(own) + 0.4


# Near-duplicates.


def with_copies(support: SupportSet, copies: int, jitter: float = 0.1) -> SupportSet:
    """Each image followed by near-duplicates of it."""
    rng = generator(0)
    rows = torch.arange(len(support)).repeat_interleave(copies)
    which = torch.arange(len(rows)) % copies

    def moved(x: Tensor) -> Tensor:
        length = jitter / x.shape[1] ** 0.5
        around = x[rows] + length * torch.randn(len(rows), x.shape[1], generator=rng)
        return torch.where((which > 0).unsqueeze(1), normalize(around, dim=1), x[rows])

    return SupportSet(
        100_000 * which + support.ids[rows],
        support.labels[rows],
        ImageEmbeddings(moved(support.embeddings.frozen), moved(support.embeddings.corrected)),
    )


@pytest.mark.parametrize("method", ["tip-adapter++", "tip-x", "ape++", "gda++", "auto"])
def test_tuning_with_copies_is_tuning_without_them(method: str) -> None:
    support = photos([6, 5, 7], [4, 4, 4])
    classes = ClassSet(torch.arange(3), normalize(torch.randn(3, 256, generator=generator(1))))
    classifier = FewShotClassifier(method, coverage=0.8, false_rejection_rate=0.2)
    once = classifier.tune(classes, support[support.ids % 100 == 0].labelled)
    copied = classifier.tune(classes, support.labelled)
    assert copied.votes == 18
    assert copied == once


def test_copies_do_not_make_new_images_unknown() -> None:
    rejected: dict[int, list[Tensor]] = {1: [], 4: []}
    for seed in range(20):
        task = make_task([12] * 4, seed, queries=25)
        for copies, masks in rejected.items():
            classifier = FewShotClassifier("tip-adapter++", false_rejection_rate=0.1)
            classifier.fit(task.classes, with_copies(task.support, copies))
            masks.append(~classifier.answer(task.queries).known)
    assert share(rejected[1]) == pytest.approx(0.1, abs=0.05)
    # In 24 dimensions, some different images are close enough to be taken for a burst.
    assert share(rejected[4]) == pytest.approx(share(rejected[1]), abs=0.03)


@pytest.mark.parametrize("method", ["tip-adapter++", "gda++", "auto"])
def test_copies_do_not_spoil_the_probabilities(method: str) -> None:
    losses: dict[int, list[Tensor]] = {1: [], 4: []}
    for seed in range(20):
        task = make_task([8] * 4, seed, queries=25, spread=1.5)
        for copies, of in losses.items():
            classifier = FewShotClassifier(method)
            classifier.fit(task.classes, with_copies(task.support, copies, jitter=0.2))
            answers = classifier.answer(task.queries)
            own = answers.probabilities.gather(1, task.truth.unsqueeze(1))
            of.append(-own.clamp(min=1e-9).log())
    once, copied = (float(torch.cat(of).mean()) for of in losses.values())
    assert copied < 1.25 * once  # 1.6 to 3.9 times if all take part


def test_fit_uses_a_given_tuning() -> None:
    task = make_task([3, 3])
    tuning = tuned("tip-adapter", 3.0, alpha=1.0, beta=2.0)
    classifier = FewShotClassifier("tip-adapter").fit(task.classes, task.support, tuning)
    assert classifier.tuning is tuning
    assert classifier.classes is task.classes
    assert (
        classifier.support.embeddings.frozen.data_ptr() == task.support.embeddings.frozen.data_ptr()
    )
