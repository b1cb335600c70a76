"""The contract that all heads keep, and what each of them compares images by."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import HEADS, Head, Scores, Tuning
from tests.adapters.synthetic import (
    CORRECTED_WIDTH,
    TUNINGS,
    WIDTH,
    Task,
    fixed_head,
    make_task,
    noise,
)

each_tuning = pytest.mark.parametrize("name", sorted(TUNINGS))
each_method = pytest.mark.parametrize("method", sorted(HEADS))
with_images = pytest.mark.parametrize("method", sorted(set(HEADS) - {"zero-shot"}))
several_shots = st.lists(st.integers(0, 4), min_size=1, max_size=4)


def assert_same_scores(actual: Scores, expected: Scores) -> None:
    torch.testing.assert_close(actual.zero_shot, expected.zero_shot)
    torch.testing.assert_close(actual.cache, expected.cache, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(actual.matches.similarities, expected.matches.similarities)
    # Equal similarities may change places.
    assert torch.equal(actual.matches.ids.sort().values, expected.matches.ids.sort().values)


def turned(classes: ClassSet, order: Tensor) -> ClassSet:
    return ClassSet(classes.ids[order], None if classes.texts is None else classes.texts[order])


# Change.


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(TUNINGS)),
    shots=several_shots,
    more=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    names=st.booleans(),
    data=st.data(),
)
def test_any_update_is_fitting_what_is_left(
    name: str, shots: list[int], more: list[int], names: bool, data: st.DataObject
) -> None:
    task = make_task(shots, names=names)
    head = fixed_head(name, task.classes, task.support)
    gone = data.draw(st.sets(st.sampled_from(range(len(task.support))))) if sum(shots) else set()
    removed = task.support.ids[torch.tensor(sorted(gone), dtype=torch.int64)]
    added = task.draw(more[: len(shots)], seed=7, first_id=1000)
    head.update(Change(added=added, removed=removed))
    left = task.support.without(removed).with_added(added)
    assert_same_scores(
        head.score(task.queries), fixed_head(name, task.classes, left).score(task.queries)
    )


@each_tuning
def test_one_change_after_the_other_is_fitting_what_is_left(name: str) -> None:
    task = make_task([3, 2, 4])
    head = fixed_head(name, task.classes, task.support)
    more = task.draw([2, 0, 1], seed=1, first_id=1000)
    head.update(Change(removed=task.support.ids[:4]))
    head.update(Change(added=more))
    head.update(Change(removed=more.ids[:1]))
    left = task.support.without(task.support.ids[:4]).with_added(more).without(more.ids[:1])
    assert torch.equal(head.support_.compact().ids, left.ids)
    assert_same_scores(
        head.score(task.queries), fixed_head(name, task.classes, left).score(task.queries)
    )


@each_tuning
def test_a_class_can_lose_all_of_its_images_and_get_new_ones(name: str) -> None:
    task = make_task([3, 2, 4])
    head = fixed_head(name, task.classes, task.support)
    of_one = task.support.labels == task.classes.ids[1]
    head.update(Change(removed=task.support.ids[of_one]))
    rest = task.support[~of_one]
    assert_same_scores(
        head.score(task.queries), fixed_head(name, task.classes, rest).score(task.queries)
    )
    more = task.draw([0, 2, 0], seed=1, first_id=1000)
    head.update(Change(added=more))
    expected = fixed_head(name, task.classes, rest.with_added(more))
    assert_same_scores(head.score(task.queries), expected.score(task.queries))


@each_tuning
def test_head_emptied_and_refilled_scores_as_a_new_one(name: str) -> None:
    task = make_task([3, 2, 4])
    head = fixed_head(name, task.classes, task.support)
    head.update(Change(removed=task.support.ids))
    scores = head.score(task.queries)
    assert task.classes.texts is not None
    torch.testing.assert_close(scores.logits, 100 * task.queries.frozen @ task.classes.texts.T)
    assert scores.matches.ids.shape == (9, 0)
    more = task.draw([1, 2, 0], seed=1, first_id=1000)
    head.update(Change(added=more))
    expected = fixed_head(name, task.classes, more)
    assert_same_scores(head.score(task.queries), expected.score(task.queries))


@each_tuning
@pytest.mark.parametrize("names", [True, False])
def test_a_class_can_come_without_images(name: str, names: bool) -> None:
    task = make_task([3, 0, 4], names=names)
    both = torch.tensor([0, 2])
    head = fixed_head(name, turned(task.classes, both), task.support)
    head.update(Change(classes=task.classes))
    expected = fixed_head(name, task.classes, task.support)
    assert_same_scores(head.score(task.queries), expected.score(task.queries))
    head.update(Change(classes=turned(task.classes, both)))
    expected = fixed_head(name, turned(task.classes, both), task.support)
    assert_same_scores(head.score(task.queries), expected.score(task.queries))


@each_tuning
def test_updating_the_tuning_alone_is_fitting_with_it(name: str) -> None:
    task = make_task([3, 2, 4])
    method, tuning = TUNINGS[name]
    halved = {k: v if k == "share" else v / 2 for k, v in tuning.parameters.as_dict().items()}
    if "share" in halved:
        halved["share"] = 1.0
    other = replace(tuning, parameters=type(tuning.parameters).of(halved), temperature=9.0)
    head = fixed_head(name, task.classes, task.support)
    head.update(Change(tuning=other))
    expected = HEADS[method]().fit(task.classes, task.support, other)
    assert_same_scores(head.score(task.queries), expected.score(task.queries))
    logits = head.score(task.queries).logits
    torch.testing.assert_close(head.probabilities(logits), (logits / 9.0).softmax(dim=1))


@each_tuning
def test_removing_what_is_not_stored_changes_nothing(name: str) -> None:
    task = make_task([3, 2, 4])
    head = fixed_head(name, task.classes, task.support)
    before = head.score(task.queries)
    with pytest.raises(KeyError):
        head.update(Change(added=task.draw([1, 1, 1], 1, 1000), removed=torch.tensor([0, 999])))
    assert torch.equal(head.support_.compact().ids, task.support.ids)
    assert_same_scores(head.score(task.queries), before)


@each_tuning
def test_a_change_that_cannot_be_made_is_not_half_made(name: str) -> None:
    task = make_task([3, 2])
    head = fixed_head(name, task.classes, task.support)
    before = head.score(task.queries)
    taken = replace(task.draw([1, 1], seed=7), ids=torch.tensor([5000, int(task.support.ids[0])]))
    with pytest.raises(ValueError, match="already"):
        head.update(Change(added=taken, removed=task.support.ids[1:2]))
    fewer = ClassSet(task.classes.ids[:1], None)
    with pytest.raises(KeyError, match="not among the classes"):
        head.update(Change(classes=fewer))
    assert_same_scores(head.score(task.queries), before)
    assert len(head.support_) == len(task.support)


@each_method
def test_tune_leaves_the_fitted_head_unchanged(method: str) -> None:
    task = make_task([4, 3, 5], seed=1)
    head = HEADS[method]().fit(task.classes, task.support)
    tuning, before = head.tuning_, head.score(task.queries)
    head.tune(task.classes, task.draw([5, 5, 5], seed=3).labelled)
    assert head.tuning_ is tuning
    assert torch.equal(head.score(task.queries).logits, before.logits)


# Queries.


@settings(max_examples=30, deadline=None)
@given(
    method=st.sampled_from(sorted(HEADS)),
    shots=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    seed=st.integers(0, 100),
    order=st.permutations(range(12)),
    size=st.integers(1, 12),
)
def test_an_answer_does_not_depend_on_its_batch(
    method: str, shots: list[int], seed: int, order: list[int], size: int
) -> None:
    task = make_task(shots, seed)
    queries = noise(12, seed)
    head = HEADS[method]().fit(task.classes, task.support)
    rows = torch.tensor(order[:size])
    together = head.score(queries)
    alone = torch.cat([head.score(queries[i : i + 1]).logits for i in range(12)])
    atol = 1e-5 * float(together.cache.abs().max() + 100)
    torch.testing.assert_close(together.logits, alone, rtol=1e-5, atol=atol)
    torch.testing.assert_close(head.score(queries[rows]).logits, alone[rows], rtol=1e-5, atol=atol)


@each_tuning
def test_no_queries_get_no_answers(name: str) -> None:
    task = make_task([3, 0, 4])
    scores = fixed_head(name, task.classes, task.support).score(task.queries[:0])
    assert scores.logits.shape == (0, 3)


@each_tuning
@pytest.mark.parametrize("names", [True, False])
def test_columns_follow_the_order_of_the_classes(name: str, names: bool) -> None:
    task = make_task([3, 0, 2, 4], names=names)
    order = torch.tensor([3, 1, 0, 2])
    a = fixed_head(name, task.classes, task.support).score(task.queries).logits
    b = fixed_head(name, turned(task.classes, order), task.support).score(task.queries).logits
    torch.testing.assert_close(a[:, order], b, rtol=1e-5, atol=1e-4)


@each_method
def test_tuned_answers_do_not_depend_on_the_order_of_the_images(method: str) -> None:
    task = make_task([4, 3, 5], seed=2, dtype=torch.float64)
    order = torch.tensor([5, 0, 11, 3, 8, 1, 10, 2, 7, 4, 9, 6])
    a = HEADS[method]().fit(task.classes, task.support)
    b = HEADS[method]().fit(task.classes, task.support[order])
    assert b.tuning_.accuracy == pytest.approx(a.tuning_.accuracy, abs=1e-9)
    torch.testing.assert_close(
        a.probabilities(a.score(task.queries).logits),
        b.probabilities(b.score(task.queries).logits),
        rtol=1e-3,
        atol=1e-4,
    )


@each_tuning
def test_n_matches_names_the_nearest_images_and_changes_no_logits(name: str) -> None:
    task = make_task([3, 2, 4])
    head = fixed_head(name, task.classes, task.support)
    every, two = head.score(task.queries), head.score(task.queries, n_matches=2)
    assert torch.equal(two.logits, every.logits)
    assert torch.equal(two.matches.ids, every.matches.ids[:, :2])
    if name != "zero-shot":
        assert every.matches.ids.shape == (9, 9)
        by_id = dict(zip(task.support.ids.tolist(), task.support.labels.tolist(), strict=True))
        labels = [[by_id[i] for i in row] for row in every.matches.ids.tolist()]
        assert every.matches.labels.tolist() == labels
        assert bool((every.matches.similarities.diff(dim=1) <= 0).all())


@each_tuning
def test_float32_answers_are_those_of_float64_rounded(name: str) -> None:
    double = make_task([3, 2, 4], dtype=torch.float64)
    single = make_task([3, 2, 4], dtype=torch.float32)
    a = fixed_head(name, double.classes, double.support).score(double.queries).logits
    b = fixed_head(name, single.classes, single.support).score(single.queries).logits
    assert b.dtype == torch.float32
    torch.testing.assert_close(a, b.double(), rtol=1e-4, atol=1e-3)


# Names.


@each_tuning
def test_without_meaningful_names_there_is_no_zero_shot_term(name: str) -> None:
    task = make_task([3, 2, 4], names=False)
    scores = fixed_head(name, task.classes, task.support).score(task.queries)
    assert torch.equal(scores.zero_shot, torch.zeros(9, 3))


@with_images
def test_images_alone_suffice_where_names_carry_no_meaning(method: str) -> None:
    right = 0.0
    for seed in range(3):
        task = make_task([5, 4, 6, 5], seed, names=False, queries=10, spread=0.7)
        head = HEADS[method]().fit(task.classes, task.support)
        right += float((head.score(task.queries).logits.argmax(1) == task.truth).double().mean())
    assert right / 3 > 0.9


@each_method
@pytest.mark.parametrize("names", [True, False])
def test_without_images_the_names_alone_answer(method: str, names: bool) -> None:
    task = make_task([0, 0, 0], names=names)
    head = HEADS[method]().fit(task.classes, SupportSet.empty(WIDTH, CORRECTED_WIDTH))
    scores = head.score(task.queries)
    texts = task.classes.texts
    expected = torch.zeros(9, 3) if texts is None else 100 * task.queries.frozen @ texts.T
    torch.testing.assert_close(scores.logits, expected)
    assert scores.matches.ids.shape == (9, 0)
    assert head.tuning_.votes == 0
    assert head.left_out(task.classes, task.support.labelled, head.tuning_).shape == (0, 3)


@each_tuning
def test_probabilities_are_the_softmax_at_the_temperature(name: str) -> None:
    task = make_task([3, 2, 4])
    head = fixed_head(name, task.classes, task.support)
    logits = head.score(task.queries).logits
    torch.testing.assert_close(head.probabilities(logits), (logits / 2.0).softmax(dim=1))


# Whatever the support set.


def assert_finite(head: Head, task: Task) -> None:
    n = len(task.classes)
    logits = head.score(task.queries).logits
    assert logits.shape == (len(task.queries), n)
    assert bool(logits.isfinite().all())
    probabilities = head.probabilities(logits)
    assert bool(probabilities.isfinite().all())
    torch.testing.assert_close(
        probabilities.sum(dim=1), torch.ones(len(logits), dtype=logits.dtype)
    )
    left_out = head.left_out(task.classes, task.support.labelled, head.tuning_)
    assert left_out.shape == (len(task.support), n)
    assert bool(left_out.isfinite().all())
    assert 0 < head.tuning_.temperature < float("inf")


@settings(max_examples=80, deadline=None)
@given(
    method=st.sampled_from(sorted(HEADS)),
    shots=st.lists(st.integers(0, 5), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
    names=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    copies=st.booleans(),
)
def test_any_support_set_is_tuned_and_answered_with_numbers(
    method: str, shots: list[int], seed: int, names: bool, dtype: torch.dtype, copies: bool
) -> None:
    task = make_task(shots, seed, names=names, dtype=dtype)
    if copies:  # every image twice, under other identifiers
        support = task.support
        twin = SupportSet(support.ids + 1, support.labels, support.embeddings)
        task = replace(task, support=support.with_added(twin))
    head = HEADS[method]().fit(task.classes, task.support)
    assert_finite(head, task)
    own = torch.bincount(task.classes.columns(task.support.labels), minlength=len(shots))
    voting = own[own > (0 if method == "zero-shot" else 1)]
    assert head.tuning_.votes == int(voting.sum())
    assert (head.tuning_.accuracy is None) == (head.tuning_.votes == 0)


@each_method
@pytest.mark.parametrize("shots", [[4], [1, 1, 1], [3, 1, 0], [25, 2]])
def test_images_that_are_all_alike_are_answered_with_numbers(method: str, shots: list[int]) -> None:
    task = make_task(shots)
    one = task.support.embeddings[:1]
    n = len(task.support)
    same = ImageEmbeddings(one.frozen.repeat(n, 1), one.corrected.repeat(n, 1))
    task = replace(
        task,
        support=replace(task.support, embeddings=same),
        queries=ImageEmbeddings.concatenate([one, task.queries]),
    )
    assert_finite(HEADS[method]().fit(task.classes, task.support), task)


@each_method
def test_names_are_heard_beside_a_single_class_with_images(method: str) -> None:
    task = make_task([4, 0, 0], queries=1)
    logits = HEADS[method]().fit(task.classes, task.support).score(task.queries).logits
    # Images of the other classes: only names can tell them from each other.
    zero_shot = HEADS["zero-shot"]().fit(task.classes, task.support).score(task.queries).logits
    torch.testing.assert_close(
        logits[:, 1] - logits[:, 2], zero_shot[:, 1] - zero_shot[:, 2], rtol=0, atol=0.02
    )


@with_images
def test_two_copies_of_one_image_are_like_the_image(method: str) -> None:
    # With the same setting, all else being one image a class: nothing but the copy has changed.
    task = make_task([1, 1, 1])
    twin = replace(task.support[:1], ids=torch.tensor([1000]))
    tuning = HEADS[method]().tune(task.classes, task.support.labelled)
    once = HEADS[method]().fit(task.classes, task.support, tuning)
    twice = HEADS[method]().fit(task.classes, task.support.with_added(twin), tuning)
    a, b = (head.score(task.queries) for head in (once, twice))
    assert torch.equal(a.logits.argmax(dim=1), b.logits.argmax(dim=1))


# What is particular to one of them.


def test_plus_plus_compares_images_by_the_corrected_embedding() -> None:
    task = make_task([3, 2, 4])
    images = task.support
    for name, keys in (
        ("tip-adapter", images.embeddings.frozen),
        ("tip-x", images.embeddings.frozen),
        ("gda", images.embeddings.frozen),
        ("tip-adapter++", images.embeddings.corrected),
        ("tip-x++", images.embeddings.corrected),
        ("gda++", images.embeddings.corrected),
        ("krr", images.embeddings.frozen),
        ("krr++", images.embeddings.corrected),
        ("auto", images.embeddings.corrected),
    ):
        matches = fixed_head(name, task.classes, images).score(images.embeddings).matches
        expected = (keys @ keys.T).sort(dim=1, descending=True).values
        torch.testing.assert_close(matches.similarities, expected)


@pytest.mark.parametrize(
    ("frozen", "corrected"),
    [
        ("tip-adapter", "tip-adapter++"),
        ("gda", "gda++"),
        ("krr", "krr++"),
        ("ape", "ape++"),
        ("tip-x", "tip-x++"),
    ],
)
def test_the_two_forms_differ_in_the_embedding_alone(frozen: str, corrected: str) -> None:
    task = make_task([3, 2, 4], names=False)
    parameters = TUNINGS[frozen][1]

    def both_as(images: Tensor) -> ImageEmbeddings:
        return ImageEmbeddings(images, images)

    support = replace(task.support, embeddings=both_as(task.support.embeddings.corrected))
    queries = both_as(task.queries.corrected)
    a = HEADS[frozen]().fit(task.classes, support, parameters).score(queries).logits
    b = HEADS[corrected]().fit(task.classes, support, parameters).score(queries).logits
    assert torch.equal(a, b)


@pytest.mark.parametrize("method", ["tip-x", "tip-x++"])
def test_tip_x_without_meaningful_names_is_tip_adapter(method: str) -> None:
    task = make_task([3, 2, 4], names=False)
    images = task.support.labelled
    own = HEADS[method]().tune(task.classes, images)
    plain = HEADS[method.replace("x", "adapter")]().tune(task.classes, images)
    assert own.as_dict() == plain.as_dict()


def test_a_label_outside_of_the_classes_is_an_error() -> None:
    classes = ClassSet(torch.tensor([40, 10, 30, 20]), None)
    with pytest.raises(KeyError, match="not among the classes"):
        classes.columns(torch.tensor([10, 11]))
    with pytest.raises(KeyError, match="not among the classes"):
        ClassSet(torch.empty(0, dtype=torch.int64), None).columns(torch.tensor([1]))
    assert classes.columns(torch.tensor([[20, 40]])).tolist() == [[3, 0]]


def test_only_the_zero_shot_head_is_lost_without_names() -> None:
    assert [name for name, head in HEADS.items() if head.needs_names] == ["zero-shot"]


def test_a_class_without_images_has_no_advantage_from_a_tuning_without_offset() -> None:
    task = make_task([3, 0, 4])
    for name in ("tip-adapter++", "gda++"):
        cache = fixed_head(name, task.classes, task.support).score(task.queries).cache
        torch.testing.assert_close(cache[:, 1], (cache[:, 0] + cache[:, 2]) / 2)


def test_the_default_tuning_is_that_of_leave_one_out() -> None:
    task = make_task([4, 3, 5])
    for method in HEADS:
        head = HEADS[method]()
        tuning = head.tune(task.classes, task.support.labelled)
        assert isinstance(tuning, Tuning)
        assert head.fit(task.classes, task.support).tuning_ == tuning


def test_every_head_is_tested_with_a_tuning_of_its_own() -> None:
    assert set(HEADS) == {method for method, _ in TUNINGS.values()}
