"""What tenants may own: counted in the transaction of a change, each for itself."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from service.access.limits import OWNED, TenantLimits
from service.problems import QuotaExceeded
from service.storage.change import NewClass
from service.storage.errors import Outdated
from service.storage.inbox import Inboxes, Query
from service.storage.store import Store
from service.storage.tenant_limits import OwnedLimits, set_limits, stored_limits, usage
from tests.service.stored import OWN, create, embeddings, loaded, support, write

LIMITS = TenantLimits(classifiers=2, classes=3, images=4)


def limited(engine: Engine, limits: TenantLimits = LIMITS) -> Store:
    """A store in which the tenant ``lab`` is limited."""
    given: Callable[[str], TenantLimits] = lambda tenant: (  # noqa: E731
        limits if tenant == "lab" else TenantLimits()
    )
    return Store(engine, OWN).recording([OwnedLimits(given)])


def used(engine: Engine, tenant: str) -> list[int]:
    owned = asdict(usage(engine, tenant))
    return [owned[what] for what in OWNED[:3]]


def test_a_tenant_owns_up_to_its_limits_and_no_more(engine: Engine) -> None:
    store = limited(engine)
    create(store, "lab/a", "ant", "bee")
    create(store, "lab/b", "cat")
    for name in ("lab/c", "lab/d"):
        with pytest.raises(QuotaExceeded) as refused:
            create(store, name)
        assert "3 classifiers, and may have 2" in str(refused.value.detail)
    with pytest.raises(QuotaExceeded):
        write(store, "lab/b", classes_added=(NewClass(label="dog"),))
    write(store, "lab/a", added=tuple(support(i, "ant") for i in range(3)))
    with pytest.raises(QuotaExceeded) as refused:
        write(store, "lab/b", added=(support(7, "cat"), support(8, "cat")))
    assert refused.value.extras == {"what": "images", "limit": 4, "used": 5}
    assert used(engine, "lab") == [2, 3, 3]
    write(store, "lab/b", added=(support(7, "cat"),))
    create(store, "other/c", "x", "y", "z", "w")  # nobody else is concerned
    store.delete_classifier(loaded(store, "lab/a").record.id)
    assert used(engine, "lab") == [1, 1, 1]
    write(store, "lab/b", classes_added=(NewClass(label="dog"), NewClass(label="eel")))


def test_less_than_there_is_lets_everything_be_deleted(engine: Engine) -> None:
    create(Store(engine, OWN), "lab/a", "ant", "bee", "cat", "dog")
    store = limited(engine, TenantLimits(classes=1))
    with pytest.raises(QuotaExceeded):
        write(store, "lab/a", classes_added=(NewClass(label="eel"),))
    first = loaded(store, "lab/a").classes[0]
    write(store, "lab/a", classes_removed=(first.id,))
    store.delete_classifier(loaded(store, "lab/a").record.id)


def query(number: int, content: bytes | None) -> Query:
    return Query(
        public_id=f"{number:032x}",
        asked_at=datetime.now(UTC),
        why="all",
        sha256=f"{number:064x}",
        filename=f"{number}.png",
        media_type="image/png",
        content=content,
        fingerprint=OWN.fingerprint,
        embeddings=embeddings(number),
        revision=1,
        label="ant",
        probability=1.0,
        known=True,
        p_value=None,
        prediction_set=None,
        candidates=[],
    )


def test_remembered_pictures_are_bytes_that_a_tenant_owns(engine: Engine) -> None:
    create(Store(engine, OWN), "lab/a", "ant")
    create(Store(engine, OWN), "other/a", "ant")
    inboxes = Inboxes(engine, OwnedLimits(lambda _: TenantLimits(bytes=100)))
    state = loaded(Store(engine, OWN), "lab/a").record.state

    def remember(*queries: Query, most: int = 10) -> int:
        return inboxes.remember(state.id, state.created_at, queries, most, 30)

    assert remember(query(1, b"x" * 60)) == 1
    assert (usage(engine, "lab").bytes, usage(engine, "other").bytes) == (60, 0)
    with pytest.raises(QuotaExceeded):
        remember(query(2, b"x" * 60))
    assert inboxes.count(state.id) == 1
    assert remember(query(1, b"x" * 60)) == 0  # it is there
    assert remember(query(3, None)) == 1  # no bytes are kept of it
    assert remember(query(4, b"x" * 60), most=1) == 1  # in the place of older ones
    assert usage(engine, "lab").bytes == 60


def test_changes_at_the_same_time_do_not_go_beyond_together(engine: Engine) -> None:
    store = limited(engine, TenantLimits(classes=10))
    for i in range(6):
        create(store, f"lab/c{i}")

    def add(i: int) -> int:
        done = 0
        for j in range(4):
            try:
                write(store, f"lab/c{i}", classes_added=(NewClass(label=f"l{j}"),))
                done += 1
            except (QuotaExceeded, Outdated):
                pass
        return done

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(add, range(6))) == 10
    assert usage(engine, "lab").classes == 10


def test_limits_are_kept(engine: Engine) -> None:
    assert stored_limits(engine, "lab") == TenantLimits()
    for limits in (LIMITS, TenantLimits(bytes=2**40, requests_per_second=0.5)):
        set_limits(engine, "lab", limits)
        assert stored_limits(engine, "lab") == limits
    assert stored_limits(engine, "other") == TenantLimits()
    assert LIMITS.over(TenantLimits(images=9, bytes=5)) == TenantLimits(
        classifiers=2, classes=3, images=4, bytes=5
    )
