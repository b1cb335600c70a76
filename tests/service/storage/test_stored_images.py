"""Images found by their ids: those of one classifier, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import torch
from sqlalchemy import Engine, text

from service.images.embedded import EMBEDDING_TYPE, digest
from service.problems import ClassifierDamaged
from service.storage.store import Store
from service.storage.stored_images import StoredImage, stored_images
from service.storage.tables import ContentRow
from tests.service.stored import OWN, create, embeddings, loaded, rows, support, write


def found(
    engine: Engine, store: Store, name: str, *ids: str, fingerprint: str = OWN.fingerprint
) -> dict[str, StoredImage]:
    state = loaded(store, name).record.state
    return stored_images(engine, name, state, ids, fingerprint)


def test_images_of_a_classifier_are_found_with_their_embeddings(engine: Engine) -> None:
    store = Store(engine, OWN)
    create(store, "a", "ant", "bee")
    write(store, "a", added=(support(1, "ant"), support(2, "bee")))
    one, two = loaded(store, "a").support
    here = found(engine, store, "a", one.public_id, two.public_id, "0" * 32, "no id", "\0")
    assert set(here) == {one.public_id, two.public_id}
    for record, seed in ((one, 1), (two, 2)):
        image = here[record.public_id]
        assert (image.record, image.is_kept) == (record, True)
        assert image.embeddings is not None
        assert torch.equal(image.embeddings.frozen, embeddings(seed).frozen)
        assert torch.equal(image.embeddings.corrected, embeddings(seed).corrected)
    other = found(engine, store, "a", one.public_id, fingerprint="e" * 64)
    assert other[one.public_id].embeddings is None


def test_nobody_elses_images_are(engine: Engine) -> None:
    store = Store(engine, OWN)
    for name in ("a", "tenant/a", "other/a"):
        create(store, name, "ant")
        write(store, name, added=(support(1, "ant"),))
    ids = {name: loaded(store, name).support[0].public_id for name in ("a", "tenant/a", "other/a")}
    for name, own in ids.items():
        assert set(found(engine, store, name, *ids.values())) == {own}
    # The id of a classifier that is gone may be another one's now.
    state = loaded(store, "a").record.state
    earlier = state._replace(created_at=state.created_at - timedelta(microseconds=1))
    assert stored_images(engine, "a", earlier, [ids["a"]], OWN.fingerprint) == {}


def test_an_image_without_bytes_keeps_none(engine: Engine) -> None:
    store = Store(engine, OWN)
    create(store, "a", "ant")
    rows_of_it = embeddings(5)
    given = support(
        5,
        "ant",
        read=None,
        sha256=digest(rows_of_it, OWN.fingerprint),
        media_type=EMBEDDING_TYPE,
        width=0,
        height=0,
    )
    write(store, "a", added=(given, support(6, "ant")))
    assert rows(engine, ContentRow) == 1
    one, two = loaded(store, "a").support
    here = found(engine, store, "a", one.public_id, two.public_id)
    assert (here[one.public_id].is_kept, here[two.public_id].is_kept) == (False, True)
    assert store.content(one.id) is None


def test_a_digest_tells_embeddings_and_recipes_apart() -> None:
    one = embeddings(1)
    assert digest(one, "a" * 64) == digest(embeddings(1), "a" * 64)
    swapped = replace(one, frozen=one.corrected, corrected=one.frozen)
    others = [digest(embeddings(2), "a" * 64), digest(one, "b" * 64), digest(swapped, "a" * 64)]
    assert len({digest(one, "a" * 64), *others}) == 4


def test_a_damaged_embedding_is_told(engine: Engine) -> None:
    store = Store(engine, OWN)
    create(store, "a", "ant")
    write(store, "a", added=(support(1, "ant"),))
    [one], state = loaded(store, "a").support, loaded(store, "a").record.state
    with engine.begin() as connection:
        connection.execute(text("UPDATE images SET frozen = :cut"), {"cut": b"abc"})
    with pytest.raises(ClassifierDamaged) as caught:
        stored_images(engine, "a", state, [one.public_id], OWN.fingerprint)
    assert "are not those that were written" in (caught.value.detail or "")
