"""Embeddings under prompts of classifiers in the database: beside a move, deleted, mended."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from adapters.embeddings import ImageEmbeddings
from service.classifier_settings import ClassifierSettings
from service.images.embedded import SupportImage
from service.storage.change import Change, NewClass
from service.storage.errors import Outdated
from service.storage.moved_embeddings import MovedEmbeddings
from service.storage.recipe_move import RecipeMoves
from service.storage.store import Store
from service.storage.tables import PromptedRow, TrainedPromptsRow
from service.storage.trained_prompts import NewPrompts, delete_prompts, prompts_file, put_prompts
from service.tenancy import qualified
from tests.service.stored import OWN, TUNING, embeddings, loaded, support, write

MODEL = "a" * 64
PLAIN = replace(OWN, model=MODEL)
OLD, NEW, PROMPTED = OWN.fingerprint, "e" * 64, "b" * 64
SEEDS = {OLD: 0, NEW: 10, PROMPTED: 20}


def opened(engine: Engine) -> Store:
    return Store(engine, PLAIN, accepts=SEEDS.__contains__, prompted=lambda one: one == PROMPTED)


def put(engine: Engine, tenant: str = "", name: str = "p", content: bytes = b"file") -> bool:
    origin = replace(PLAIN, fingerprint=PROMPTED)
    new = NewPrompts(
        tenant=tenant,
        name=name,
        sha256="0" * 64,
        content=content,
        origin=origin,
        model=MODEL,
        described={},
    )
    return put_prompts(engine, new, lambda *_: None)


def create(store: Store, name: str, prompts: str | None = None, views: int = 1) -> None:
    settings = ClassifierSettings(prompts=prompts, support_views=views)
    own = None if prompts is None else PROMPTED
    classes = (NewClass(label="ant"),)
    store.create(
        name, Change(settings=settings, tuning=TUNING, fingerprint=own, classes_added=classes)
    )


def embedded(fingerprint: str, views: int = 1) -> ImageEmbeddings:
    return embeddings(SEEDS[fingerprint] + views)


def given(fingerprint: str, views: int = 1) -> SupportImage:
    """The same image in each recipe, with so many views."""
    return support(
        1,
        "ant",
        fingerprint=fingerprint,
        embeddings=embedded(fingerprint, views),
        views=views,
        itself=None if views == 1 else embedded(fingerprint),
    )


def holds(store: Store, name: str, fingerprint: str, views: int = 1) -> bool:
    found = loaded(store, name).embeddings.frozen
    return torch.equal(found, embedded(fingerprint, views).frozen)


def test_an_image_that_came_first_with_prompts_moves_with_a_plain_classifier(
    engine: Engine,
) -> None:
    store, moves = opened(engine), RecipeMoves(engine, PLAIN)
    moved = MovedEmbeddings(engine, PLAIN)
    put(engine)
    create(store, "prompted", "p")
    create(store, "plain")
    moves.begin(OLD, NEW)
    store.make_under(NEW)
    write(store, "prompted", added=(given(PROMPTED),))
    write(store, "plain", added=(given(OLD),))
    assert holds(store, "plain", OLD)
    [image] = moved.missing(NEW, 0, 9)
    moved.write_embedded(NEW, {image.id: {1: embedded(NEW)}})
    stored = moved.load("plain", NEW)
    assert stored is not None
    assert torch.equal(stored.embeddings.frozen, embedded(NEW).frozen)
    moved.change_over(stored.record.state, NEW, TUNING, None)
    assert moves.arrive(NEW)
    while moved.settle(NEW):
        pass
    assert holds(store, "plain", NEW)
    assert holds(store, "prompted", PROMPTED)


def test_no_classifier_goes_back_to_a_recipe_that_all_have_left(engine: Engine) -> None:
    store, moves = opened(engine), RecipeMoves(engine, PLAIN)
    put(engine)
    create(store, "a", "p")
    write(store, "a", added=(given(PROMPTED),))
    moves.begin(OLD, NEW)
    assert moves.arrive(NEW)
    state = loaded(store, "a").record.state

    def without(fingerprint: str) -> Change:
        return Change(
            settings=ClassifierSettings(),
            tuning=TUNING,
            fingerprint=fingerprint,
            renewed={loaded(store, "a").support[0].id: given(fingerprint).image},
        )

    with pytest.raises(Outdated):
        store.write(state, without(store.fingerprint))
    assert holds(store, "a", PROMPTED)
    store.follow_recipe()
    assert store.fingerprint == NEW
    store.write(state, without(NEW))
    assert holds(store, "a", NEW)


def test_views_under_prompts_go_with_the_last_classifier_that_asks_for_them(
    engine: Engine,
) -> None:
    store = opened(engine)
    put(engine)
    for name, views in (("a", 3), ("b", 3), ("c", 5)):
        create(store, name, "p", views)
        write(store, name, added=(given(PROMPTED, views),))
    create(store, "plain", views=3)
    write(store, "plain", added=(given(OLD, 3),))
    assert there(engine) == {1, 3, 5}
    for name, left in (("a", {1, 3, 5}), ("b", {1, 5}), ("c", {1})):
        write(store, name, removed=(loaded(store, name).support[0].id,))
        assert there(engine) == left
    assert holds(store, "plain", OLD, 3)


def test_embeddings_go_with_the_prompts_of_their_tenant(engine: Engine) -> None:
    store = opened(engine)
    tenants = ("", "a", "A")
    for tenant in tenants:
        put(engine, tenant)
        create(store, qualified(tenant, "with"), "p")
        create(store, qualified(tenant, "plain"))
        write(store, qualified(tenant, "with"), added=(given(PROMPTED),))
        write(store, qualified(tenant, "plain"), added=(given(OLD),))
    put(engine, "a", "again")
    for tenant, name, left in (("a", "p", 3), ("", "p", 2), ("a", "again", 1), ("A", "p", 0)):
        if (found := store.find(qualified(tenant, "with"))) is not None:
            store.delete_classifier(found)
        assert delete_prompts(engine, tenant, name, lambda *_: None) == PROMPTED
        with Session(engine) as session:
            assert len(session.scalars(select(PromptedRow)).all()) == left
        for other in tenants:
            if store.find(qualified(other, "with")) is not None:
                assert holds(store, qualified(other, "with"), PROMPTED)


def test_the_same_file_again_mends_a_damaged_row(engine: Engine) -> None:
    opened(engine)
    assert put(engine)
    damaged = update(TrainedPromptsRow).values(content=b"fil")
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(damaged)
    assert not put(engine)
    assert prompts_file(engine, PROMPTED, MODEL) == ("p", b"file")


def there(engine: Engine) -> set[int]:
    """Numbers of views of which there are embeddings under prompts."""
    with Session(engine) as session:
        return set(session.scalars(select(PromptedRow.views)))
