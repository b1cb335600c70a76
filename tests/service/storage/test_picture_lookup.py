"""Pictures found by their ids: those of one classifier, and which of many are left."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine

from service.storage.inbox import Inboxes, Query
from service.storage.picture_lookup import (
    remembered_picture,
    stored_pictures,
    support_picture,
)
from service.storage.store import Store
from tests.service.stored import OWN, create, embeddings, loaded, support, write


def test_a_support_image_is_found_by_its_id_in_its_classifier_alone(engine: Engine) -> None:
    store = Store(engine, OWN)
    for name in ("a", "tenant/a", "other/a"):
        create(store, name, "ant")
        write(store, name, added=(support(1, "ant"),))
    for name in ("a", "tenant/a", "other/a"):
        [own] = loaded(store, name).support
        found = support_picture(engine, name, own.public_id)
        assert found is not None
        tenant = name.removesuffix("a")
        assert found == (own.id, f"{tenant}{own.sha256}", True)
        others = {"a", "tenant/a", "other/a", "nowhere"} - {name}
        assert not any(support_picture(engine, one, own.public_id) for one in others)
        assert remembered_picture(engine, name, own.public_id) is None
    for strange in ("0" * 32, "no id", "\0", ""):
        assert support_picture(engine, "a", strange) is None
        assert remembered_picture(engine, "a", strange) is None


def test_an_image_without_bytes_says_so(engine: Engine) -> None:
    store = Store(engine, OWN, store_images=False)
    create(store, "a", "ant")
    write(store, "a", added=(support(1, "ant"),))
    [own] = loaded(store, "a").support
    found = support_picture(engine, "a", own.public_id)
    assert found is not None
    assert not found.is_kept


def test_a_remembered_query_is_found_and_what_is_left_is_told(engine: Engine) -> None:
    store = Store(engine, OWN, keeps_history=True)
    for name in ("a", "tenant/a"):
        create(store, name, "ant")
        write(store, name, added=(support(1, "ant"), support(2, "ant")))
    remember(engine, store, "tenant/a", "e" * 64, b"bytes")
    remember(engine, store, "tenant/a", "f" * 64, None)
    for digest, kept in (("e" * 64, True), ("f" * 64, False)):
        found = remembered_picture(engine, "tenant/a", digest[:32])
        assert found is not None
        assert found[1:] == (f"tenant/{digest}", kept)
        assert remembered_picture(engine, "a", digest[:32]) is None
    first, second = loaded(store, "a").support
    write(store, "a", removed=(first.id,))  # history has it still
    asked = {
        *(f"{tenant}{one.sha256}" for tenant in ("", "tenant/") for one in (first, second)),
        *(f"{tenant}{'e' * 64}" for tenant in ("", "tenant/", "other/")),
        *(f"{number:064x}" for number in range(1200)),
        "d" * 64,
    }
    there = {f"{tenant}{one.sha256}" for tenant in ("", "tenant/") for one in (first, second)}
    assert stored_pictures(engine, asked) == there | {f"tenant/{'e' * 64}"}
    store.forget_history(loaded(store, "a").record.id)
    assert stored_pictures(engine, {first.sha256, second.sha256}) == {second.sha256}
    assert stored_pictures(engine, set()) == set()


def remember(engine: Engine, store: Store, name: str, sha256: str, content: bytes | None) -> None:
    state = loaded(store, name).record.state
    query = Query(
        public_id=sha256[:32],
        asked_at=datetime.now(UTC),
        why="all",
        sha256=sha256,
        filename="a.png",
        media_type="image/png",
        content=content,
        fingerprint=OWN.fingerprint,
        embeddings=embeddings(1),
        revision=1,
        label="ant",
        probability=0.5,
        known=True,
        p_value=None,
        prediction_set=None,
        candidates=[],
    )
    assert Inboxes(engine).remember(state.id, state.created_at, [query], 100, 30) == 1
