"""Support views and the registry: nothing is changed until all that a change needs is there."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sqlalchemy import Engine, update

from adapters.backbones import Backbone
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings
from adapters.heads import Tuning
from adapters.rest import no_rest
from service.classifier_settings import ClassifierSettings
from service.images.embedded import EmbeddedImage
from service.problems import RequestTooLarge
from service.registry.fitting import new_classifier
from service.registry.registry import Registry
from service.registry.support_views import MOST_PASSES, ViewsNeeded, renewed
from service.storage.records import SupportRecord
from service.storage.tables import ClassifierRow
from tests.service.registries import SETTINGS, embeddings, image, owned, plain_store, registry

NAMELESS = SETTINGS.model_copy(update={"names_carry_meaning": False})


def views(seed: int, number: int) -> EmbeddedImage:
    if number == 1:
        return image(seed)
    return replace(
        image(seed),
        views=number,
        embeddings=replace(embeddings(1000 * number + seed), as_queries=embeddings(seed).corrected),
        itself=embeddings(seed),
    )


def with_views(number: int) -> ClassifierSettings:
    return NAMELESS.model_copy(update={"support_views": number})


@pytest.fixture
def made(engine: Engine, backbone: Backbone) -> Registry:
    return registry(plain_store(engine, backbone), backbone, memory=2**30)


def held(made: Registry, name: str) -> torch.Tensor:
    return made.live(name).snapshot().support.embeddings.frozen


def test_images_of_other_views_are_refused_and_told_how_many_to_make(made: Registry) -> None:
    made.put("a", with_views(4), [])
    for number in (1, 5):
        with pytest.raises(ViewsNeeded) as needed:
            made.add_images("a", [("ant", views(1, 4)), ("bee", views(2, number))])
        assert (needed.value.views, list(needed.value.images)) == (4, [])
        assert made.live("a").classes == {}
    made.add_images("a", [("ant", views(1, 4))])
    assert torch.equal(held(made, "a"), views(1, 4).embeddings.frozen)


def test_another_number_asks_for_the_images_that_are_missing(made: Registry) -> None:
    made.put("a", with_views(1), [])
    made.add_images("a", [("ant", views(1, 1)), ("bee", views(2, 1)), ("cat", views(1, 1))])
    given = {}
    for seeds, embedded in (((1, 2), {}), ((2,), {1: 4}), ((1,), {1: 3, 2: 4})):
        given = {image(seed).sha256: views(seed, number) for seed, number in embedded.items()}
        with pytest.raises(ViewsNeeded) as needed:
            Registry.put(made, "a", with_views(4), [], embedded=owned(made, given))
        assert needed.value.views == 4
        digests = {record.sha256 for record in needed.value.images}
        assert digests == {image(seed).sha256 for seed in seeds}
        assert len(needed.value.images) == len(seeds)
        assert made.live("a").settings == with_views(1)
    given = {image(seed).sha256: views(seed, 4) for seed in (1, 2)}
    Registry.put(made, "a", with_views(4), [], embedded=owned(made, given))
    expected = torch.cat([views(seed, 4).embeddings.frozen for seed in (1, 2, 1)])
    assert torch.equal(held(made, "a"), expected)


def test_memory_is_what_a_restart_reads(engine: Engine, backbone: Backbone, made: Registry) -> None:
    made.put("a", with_views(1), [])
    made.add_images("a", [(f"class {i % 3}", views(i, 1)) for i in range(12)])
    given = {image(i).sha256: views(i, 4) for i in range(12)}
    Registry.put(made, "a", with_views(4), [], embedded=owned(made, given))
    made.add_images("a", [("class 0", views(20, 4))])
    again = registry(plain_store(engine, backbone), backbone, memory=2**30)
    assert torch.equal(held(made, "a"), held(again, "a"))
    queries = [registry_.live("a").predict(embeddings(99), 3, 5) for registry_ in (made, again)]
    assert queries[0] == queries[1]
    assert made.live("a").tuning == again.live("a").tuning


def left_out(seeds: list[int], backbone: Backbone) -> Tuning:
    """The tuning of a classifier of those images of four views, three classes in turn."""
    columns = torch.tensor([place % 3 for place in range(len(seeds))])
    rows = ImageEmbeddings.concatenate([views(seed, 4).embeddings for seed in seeds])
    classes = ClassSet(torch.arange(3), None)
    return new_classifier(with_views(4), backbone).tune(classes, LabelledEmbeddings(columns, rows))


def same_scores(one: Tuning, other: Tuning) -> None:
    ours, theirs = one.left_out_scores, other.left_out_scores
    assert ours is not None
    assert theirs is not None
    assert ours.count == theirs.count
    assert ours.scores == pytest.approx(theirs.scores, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("n", [9, 90])
def test_images_are_left_out_as_queries_at_once_later_and_after_a_restart(
    engine: Engine, backbone: Backbone, made: Registry, n: int
) -> None:
    labelled = [(f"class {i % 3}", i) for i in range(n + 1)]
    made.put("a", with_views(4), [])
    made.add_images("a", [(label, views(i, 4)) for label, i in labelled[:-1]])
    same_scores(made.live("a").tuning, left_out(list(range(n)), backbone))
    made.add_images("a", [(label, views(i, 4)) for label, i in labelled[-1:]])
    assert made.live("a").tuning_is_current == (n < 64)
    made.tune("a", no_rest)
    assert made.live("a").tuning_is_current
    same_scores(made.live("a").tuning, left_out(list(range(n + 1)), backbone))


def test_other_views_are_tuned_with_what_images_are_as_queries(
    backbone: Backbone, made: Registry
) -> None:
    made.put("a", with_views(1), [])
    made.add_images("a", [(f"class {i % 3}", views(i, 1)) for i in range(9)])
    given = {image(i).sha256: views(i, 4) for i in range(9)}
    Registry.put(made, "a", with_views(4), [], embedded=owned(made, given))
    same_scores(made.live("a").tuning, left_out(list(range(9)), backbone))


def test_a_tuning_of_another_head_promises_nothing_until_it_is_made_anew(
    engine: Engine, backbone: Backbone, made: Registry
) -> None:
    made.put("a", with_views(4), [])
    made.add_images("a", [(f"class {i % 3}", views(i, 4)) for i in range(9)])
    with engine.execution_options(writes=True).begin() as connection:
        other = replace(made.live("a").tuning, loss=None).as_dict()
        connection.execute(update(ClassifierRow).values(tuning=other))
    again = registry(plain_store(engine, backbone), backbone, memory=2**30)
    live = again.live("a")
    [answer] = live.predict(embeddings(99), 3, 0)
    assert (answer.known, answer.p_value) == (True, None)
    again.tune("a", no_rest)
    [answer] = again.live("a").predict(embeddings(99), 3, 0)
    assert answer.p_value is not None


def test_passes_of_a_change_are_bounded() -> None:
    record = SupportRecord(
        id=0,
        public_id="",
        class_id=0,
        filename="",
        sha256="",
        media_type="",
        width=1,
        height=1,
        created_at=None,  # type: ignore[arg-type]
    )
    most = MOST_PASSES // 10
    images = {i: replace(record, id=i, sha256=str(i)) for i in range(most + 1)}
    with pytest.raises(RequestTooLarge) as refused:
        renewed(images, 10, "f", {})
    assert f"{10 * (most + 1)} passes" in str(refused.value.detail)
    del images[0]
    with pytest.raises(ViewsNeeded):
        renewed(images, 10, "f", {})
