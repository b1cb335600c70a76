"""Two tenants with the same names and images share no row, and see none of each other's."""

from __future__ import annotations

import torch
from sqlalchemy import Engine

from adapters.embeddings import ImageEmbeddings
from service.storage.prompt_cache import PromptCache
from service.storage.store import Store
from service.storage.tables import ContentRow, ImageRow
from service.tenancy import DEFAULT_TENANT, qualified
from tests.service.stored import OWN, create, embeddings, loaded, rows, sha256_of, support, write

TENANTS = (DEFAULT_TENANT, "acme", "acme2")


def test_an_image_of_one_tenant_is_not_that_of_another(engine: Engine) -> None:
    store = Store(engine, OWN)
    for number, tenant in enumerate(TENANTS):
        name = qualified(tenant, "a")
        create(store, name, "ant")
        # The same bytes, each time with embeddings of its own: nobody gets another's.
        write(store, name, added=(support(1, "ant", embeddings=embeddings(number)),))
        assert rows(engine, ImageRow) == rows(engine, ContentRow) == number + 1
    for number, tenant in enumerate(TENANTS):
        stored = loaded(store, qualified(tenant, "a"))
        assert stored.support[0].sha256 == sha256_of(1)
        assert equal(stored.embeddings, embeddings(number))
        known = store.registered(stored.record.name, stored.record.id, [("ant", sha256_of(1))])
        assert list(known.values()) == stored.support
    # The end of one leaves the others.
    store.delete_classifier(loaded(store, "acme/a").record.id)
    assert rows(engine, ImageRow) == rows(engine, ContentRow) == len(TENANTS) - 1
    assert store.load("acme/a") is None
    assert equal(loaded(store, "acme2/a").embeddings, embeddings(2))


def equal(one: ImageEmbeddings, other: ImageEmbeddings) -> bool:
    return torch.equal(one.frozen, other.frozen) and torch.equal(one.corrected, other.corrected)


def test_each_lists_its_own(engine: Engine) -> None:
    store = Store(engine, OWN)
    for tenant in TENANTS:
        create(store, qualified(tenant, "a"))
    create(store, "acme/b")
    for tenant, names in zip(TENANTS, (["a"], ["acme/a", "acme/b"], ["acme2/a"]), strict=True):
        assert [one.name for one in store.classifiers(tenant)] == names
    assert len(store.classifiers()) == 4


def test_how_long_a_name_takes_tells_nothing_of_other_tenants(engine: Engine) -> None:
    cache = PromptCache(engine, "a" * 64, 8)
    cache.add("acme", {"a photo of a prototype": torch.ones(8)})
    assert cache.find("acme2", ["a photo of a prototype"]) == {}
    assert cache.find(DEFAULT_TENANT, ["a photo of a prototype"]) == {}
    assert cache.find("acme", ["a photo of a prototype"]).keys() == {"a photo of a prototype"}
