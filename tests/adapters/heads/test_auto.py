"""``auto``: what is pooled, how names and images are weighed, and that it follows changes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import HEADS, Tuning
from adapters.heads.auto import EXPECTED, Auto, AutoParameters, expected_at, image_unit
from adapters.heads.gda import GDAParameters, GDAPlusPlus
from adapters.heads.krr import KRRParameters, KRRPlusPlus
from adapters.tuning.votes import Votes
from tests.adapters.synthetic import TUNINGS, make_task


def test_answers_and_left_out_are_the_sum_of_both_heads() -> None:
    task = make_task([3, 4, 2])
    parameters = AutoParameters(names=0.5, krr=3.0, gda=0.5, spread=2.0, images=9.0)
    tuning = Tuning(parameters, 2.0)
    auto = Auto(50.0).fit(task.classes, task.support, tuning)
    of_krr = Tuning(KRRParameters(alpha=3.0))
    of_gda = Tuning(GDAParameters(alpha=0.5, spread=2.0, images=9.0))
    krr = KRRPlusPlus(50.0).fit(task.classes, task.support, of_krr)
    gda = GDAPlusPlus(50.0).fit(task.classes, task.support, of_gda)
    ours = auto.score(task.queries, 2)
    theirs = krr.score(task.queries, 2), gda.score(task.queries, 2)
    torch.testing.assert_close(ours.cache, theirs[0].cache + theirs[1].cache)
    assert torch.equal(ours.matches.ids, theirs[0].matches.ids)
    images = task.support.labelled
    left = auto.left_out(task.classes, images, tuning)
    parts = (
        krr.left_out(task.classes, images, of_krr),
        gda.left_out(task.classes, images, of_gda),
    )
    zero_shot = HEADS["zero-shot"](50.0).left_out(task.classes, images, Tuning())
    torch.testing.assert_close(left, parts[0] + parts[1] - zero_shot)


def test_one_image_a_class_is_answered_by_least_squares_and_names_alone() -> None:
    task = make_task([1, 1, 1])
    tuning = Auto().tune(task.classes, task.support.labelled)
    assert isinstance(tuning.parameters, AutoParameters)
    assert (tuning.votes, tuning.accuracy, tuning.loss) == (0, None, None)
    assert tuning.parameters.names == EXPECTED[0].names[0]
    assert tuning.parameters.gda == 0.0
    assert tuning.parameters.krr > 0
    assert math.isfinite(tuning.parameters.absent or math.nan)
    head = Auto().fit(task.classes, task.support, tuning)
    assert head.score(task.support.embeddings).logits.argmax(dim=1).tolist() == (
        task.classes.columns(task.support.labels).tolist()
    )


def test_no_images_are_answered_as_the_encoder_was_trained_to() -> None:
    task = make_task([0, 0, 0])
    tuning = Auto().tune(task.classes, task.support.labelled)
    assert (tuning.temperature, tuning.votes) == (1.0, 0)
    head = Auto().fit(task.classes, task.support, tuning)
    zero_shot = HEADS["zero-shot"]().fit(task.classes, task.support, Tuning())
    assert torch.equal(head.score(task.queries).logits, zero_shot.score(task.queries).logits)


def test_images_count_less_where_names_name_them_well() -> None:
    votes = Votes.of(torch.tensor([0, 0, 1, 1]), 2)
    certain = torch.tensor([[0.0, -50.0]] * 2 + [[-50.0, 0.0]] * 2)
    assert image_unit(certain, votes, 0.6) == pytest.approx(0.3)
    nothing = torch.full((4, 2), -math.log(2))
    assert image_unit(nothing, votes, 0.6) == pytest.approx(0.6)
    wrong = certain.flip(1)
    assert image_unit(wrong, votes, 0.6) == pytest.approx(0.6)
    assert image_unit(certain[:, :1], votes, 0.6) == pytest.approx(0.6)


def test_what_is_expected_lies_between_what_was_measured() -> None:
    for known in EXPECTED:
        found = expected_at(known.shots)
        assert found.names == pytest.approx(known.names)
        assert found.images == pytest.approx(known.images)
        assert found.gaussians == pytest.approx(known.gaussians)
    assert expected_at(0.5) == EXPECTED[0]
    assert expected_at(1000) == EXPECTED[-1]
    assert EXPECTED[1].names[0] > expected_at(3).names[0] > EXPECTED[2].names[0]


@pytest.mark.parametrize("shots", [1, 2, 4])
def test_images_do_not_outvote_names_that_are_right(shots: int) -> None:
    # Images that show nothing of their class, and names that are always right.
    generator = torch.Generator().manual_seed(0)
    texts = normalize(torch.randn(6, 64, generator=generator), dim=1)
    classes = ClassSet(torch.arange(6), texts)

    def drawn(of_class: int) -> tuple[Tensor, ImageEmbeddings]:
        columns = torch.arange(6).repeat_interleave(of_class)
        noise = normalize(torch.randn(len(columns), 1280, generator=generator), dim=1)
        return columns, ImageEmbeddings(texts[columns], noise)

    right = []
    for _ in range(5):
        columns, images = drawn(shots)
        support = SupportSet(torch.arange(len(columns)), columns, images)
        truth, queries = drawn(20)
        logits = Auto().fit(classes, support).score(queries).logits
        right.append((logits.argmax(dim=1) == truth).double().mean())
    assert torch.stack(right).mean() > 0.93


def test_an_update_can_bring_and_take_the_gaussians() -> None:
    task = make_task([3, 2, 4])
    one, both = TUNINGS["auto, one shot"][1], TUNINGS["auto"][1]
    auto = Auto().fit(task.classes, task.support, one)
    added, removed = task.draw([1, 2, 0], 1, 1000), task.support.ids[:3]
    left = task.support.without(removed).with_added(added)
    auto.update(Change(tuning=both, added=added, removed=removed))
    expected = Auto().fit(task.classes, left, both).score(task.queries).logits
    torch.testing.assert_close(auto.score(task.queries).logits, expected)
    auto.update(Change(tuning=one))
    expected = Auto().fit(task.classes, left, one).score(task.queries).logits
    torch.testing.assert_close(auto.score(task.queries).logits, expected)


def test_an_update_keeps_the_cache_and_leaves_the_head_before_as_it_was() -> None:
    task = make_task([30, 30, 30])
    auto = Auto().fit(task.classes, task.support, TUNINGS["auto"][1])
    cache, before = auto.cache_, auto.score(task.queries).logits
    change = Change(added=task.draw([1, 0, 0], 1, 1000))
    after = auto.prepared(change)
    assert torch.equal(auto.score(task.queries).logits, before)
    after.catch_up(change)
    assert after.cache_ is cache
    assert not torch.equal(after.score(task.queries).logits, before)


def test_a_tuning_of_an_older_version_is_refused() -> None:
    task = make_task([2, 2])
    old = replace(TUNINGS["gda++"][1], head="gda++")
    with pytest.raises(ValueError, match="tune this one anew"):
        Auto().fit(task.classes, task.support, old)
