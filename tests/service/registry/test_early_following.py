"""A classifier that others have changed follows before the next query, if it is in use."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event

from adapters.backbones import Backbone
from service.registry.early_following import EarlyFollowing
from service.registry.registry import Registry
from tests.service.registries import fill, image, n_images, plain_store, registry

ROOM = 10**9


@pytest.fixture
def two(engine: Engine, backbone: Backbone) -> tuple[Registry, Registry]:
    made = [
        registry(plain_store(engine, backbone), backbone, ROOM, one_of_several=True)
        for _ in range(2)
    ]
    fill(made[0], "a")
    return made[0], made[1]


@pytest.fixture
def following(two: tuple[Registry, Registry]) -> Iterator[EarlyFollowing]:
    made = EarlyFollowing(two[1].follow)
    yield made
    made.close()


def in_memory(made: Registry) -> int:
    """Images of what is in memory, as it is."""
    live = made._loaded._entries["a"].live
    assert live is not None
    return len(live.support)


def test_it_follows_without_being_asked(
    two: tuple[Registry, Registry], following: EarlyFollowing
) -> None:
    here, there = two
    assert n_images(there, "a") == 4
    here.add_images("a", [("ant", image(100))])
    assert in_memory(there) == 4
    following.heard("a")
    until = time.monotonic() + 30
    while in_memory(there) == 4:
        assert time.monotonic() < until
        time.sleep(0.005)
    assert in_memory(there) == 5


def test_what_nobody_asks_for_is_followed_once(
    two: tuple[Registry, Registry], engine: Engine
) -> None:
    here, there = two
    there.live("a")
    for number in (100, 101):
        here.add_images("a", [("ant", image(number))])
        there.follow("a")
    assert in_memory(there) == 5
    read: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: read.append(given[2]))
    there.follow("a")
    there.follow("never heard of")
    assert read == []
    assert n_images(there, "a") == 6


def test_one_that_is_gone_or_cannot_be_read_ends_nothing(
    two: tuple[Registry, Registry], following: EarlyFollowing
) -> None:
    here, there = two
    there.live("a")
    here.delete("a")
    following.heard("a")
    until = time.monotonic() + 30
    while "a" in there._loaded._entries:
        assert time.monotonic() < until
        time.sleep(0.005)
    fill(here, "a")
    assert n_images(there, "a") == 4
    here.add_images("a", [("ant", image(100))])
    following.heard("a")
    while in_memory(there) == 4:
        assert time.monotonic() < until
        time.sleep(0.005)
