"""Embeddings of prompts in the database: bounded, as they were made, and of use to everybody."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, func, select, text, update
from torch import Tensor

from service.storage.engine import open_database
from service.storage.prompt_cache import PromptCache
from service.storage.rows import blob
from service.storage.tables import PromptRow, table_of
from service.storage.transactions import writing
from tests.service.postgres import fresh_database, url

WIDTH = 8
TOWER = "a" * 64
TENANT = ""


def row(prompt: str) -> Tensor:
    seed = int.from_bytes(prompt.encode()) % 2**31
    return torch.randn(WIDTH, generator=torch.Generator().manual_seed(seed))


def rows(*prompts: str) -> dict[str, Tensor]:
    return {prompt: row(prompt) for prompt in prompts}


def kept(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(PromptRow)) or 0


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(one, expected[prompt]) for prompt, one in found.items()
    )


NAMES = st.lists(st.sampled_from([f"a photo of {i}" for i in range(12)]), max_size=8, unique=True)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    opened = open_database(f"sqlite:///{tmp_path_factory.mktemp('kept') / 'handful.db'}")
    yield opened
    opened.dispose()


@settings(max_examples=40, deadline=None)
@given(added=st.lists(NAMES, max_size=6), most=st.integers(1, 7))
def test_it_keeps_what_came_last_bit_by_bit_and_no_more_than_it_may(
    file: Engine, added: list[list[str]], most: int
) -> None:
    with writing(file) as session:
        session.execute(delete(PromptRow))
    cache = PromptCache(file, TOWER, WIDTH, most)
    expected: OrderedDict[str, None] = OrderedDict()
    for some in added:
        cache.add(TENANT, rows(*some))
        for prompt in some[-most:]:
            expected.pop(prompt, None)
            expected[prompt] = None
        while len(expected) > most:
            expected.popitem(last=False)
        assert same(cache.find(TENANT, [f"a photo of {i}" for i in range(12)]), rows(*expected))
        assert kept(file) == len(expected) <= most


def test_another_tower_finds_nothing(engine: Engine) -> None:
    cache = PromptCache(engine, TOWER, WIDTH)
    cache.add(TENANT, rows("ant", "bee"))
    assert same(cache.find(TENANT, ["ant", "fly"]), rows("ant"))
    assert PromptCache(engine, "b" * 64, WIDTH).find(TENANT, ["ant", "bee"]) == {}
    assert same(
        PromptCache(engine, TOWER, WIDTH).find(TENANT, ["bee"]), rows("bee")
    )  # after a restart


def test_what_is_used_stays_longer(engine: Engine) -> None:
    cache = PromptCache(engine, TOWER, WIDTH, most=3)
    for prompt in ("ant", "bee", "fly"):
        cache.add(TENANT, rows(prompt))
    with writing(engine) as session:  # two hours ago
        session.execute(update(PromptRow).values(used_at=PromptRow.used_at - 7200))
    cache.find(TENANT, ["ant"])
    cache.add(TENANT, rows("gnat", "moth"))
    assert cache.find(TENANT, ["ant", "bee", "fly", "gnat", "moth"]).keys() == {
        "ant",
        "gnat",
        "moth",
    }


@pytest.mark.parametrize("damaged", [b"", b"\0" * (4 * WIDTH - 4), b"\xff" * 4 * WIDTH])
def test_a_damaged_row_is_made_anew(engine: Engine, damaged: bytes) -> None:
    cache = PromptCache(engine, TOWER, WIDTH)
    cache.add(TENANT, rows("ant"))
    with writing(engine) as session:
        session.execute(update(PromptRow).values(embedding=damaged))
    assert cache.find(TENANT, ["ant"]) == {}
    cache.add(TENANT, rows("ant"))
    assert same(cache.find(TENANT, ["ant"]), rows("ant"))


def test_many_threads_at_once(engine: Engine) -> None:
    prompts = [f"a photo of {i}" for i in range(60)]

    def work(turn: int) -> None:
        cache = PromptCache(engine, TOWER, WIDTH, most=50)
        for start in range(0, 60, 10):
            some = prompts[start : start + 10 + turn % 3]
            cache.add(TENANT, rows(*some))
            found = cache.find(TENANT, prompts)
            assert same(found, rows(*found))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))
    assert 0 < kept(engine) <= 50


def test_two_that_wait_for_each_other_are_parted_and_nobody_is_told() -> None:
    with fresh_database() as name, ThreadPoolExecutor(1) as threads:
        engine = open_database(url(name))
        cache = PromptCache(engine, TOWER, WIDTH)
        with engine.connect() as other:
            insert = table_of(PromptRow).insert()
            other.execute(insert, _values(cache, "bee"))
            adding = threads.submit(cache.add, TENANT, rows("ant", "bee"))
            _wait_for_a_lock(engine)
            other.execute(insert, _values(cache, "ant"))  # in the other order
            other.commit()
        adding.result()
        assert same(cache.find(TENANT, ["ant", "bee"]), rows("ant", "bee"))
        engine.dispose()


def _values(cache: PromptCache, prompt: str) -> dict[str, object]:
    return {"key": cache._key(TENANT, prompt), "used_at": 0, "embedding": blob(row(prompt))}


def _wait_for_a_lock(engine: Engine) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while True:
        with engine.connect() as connection:
            if connection.scalar(waiting):
                return
        time.sleep(0.01)


def test_it_holds_up_nobody_where_there_is_no_database(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'handful.db'}", 0.1)
    cache = PromptCache(engine, TOWER, WIDTH)
    with writing(engine) as session:  # somebody else's long change
        session.execute(update(PromptRow).values(used_at=0))
        with ThreadPoolExecutor(1) as threads:
            threads.submit(cache.add, TENANT, rows("ant")).result()
    assert cache.find(TENANT, ["ant"]) == {}
    engine.dispose()
