"""The queue of classifiers to be tuned, on a clock that the tests set."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest

from service.registry.tuning_queue import TuningQueue

PATIENCE = 60


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> Iterator[TuningQueue]:
    made = TuningQueue(clock)
    yield made
    made.close()


def taken(queue: TuningQueue) -> list[str]:
    """All that are due, each tuned at once."""
    names = []
    while (name := queue.take(patience=0)) is not None:
        names.append(name)
        queue.done(name, 0.0, for_nothing=False)
    return names


def test_first_in_first_out_and_each_once(queue: TuningQueue) -> None:
    for name in "abacab":
        queue.tell(name)
    assert taken(queue) == ["a", "b", "c"]
    assert taken(queue) == []


def test_who_changes_while_it_is_tuned_comes_again(queue: TuningQueue) -> None:
    for name in "ab":
        queue.tell(name)
    assert queue.take() == "a"
    assert queue.running("a")
    assert not queue.running("b")
    queue.tell("a")
    queue.done("a", 0.0, for_nothing=False)
    assert not queue.running("a")
    assert queue.pending("a")
    assert taken(queue) == ["b", "a"]


def test_who_is_left_to_others_is_looked_at_later(queue: TuningQueue, clock: Clock) -> None:
    queue.tell("a", 10)
    queue.tell("b")
    assert taken(queue) == ["b"]
    clock.now = 9.9
    assert taken(queue) == []
    clock.now = 10
    assert taken(queue) == ["a"]
    queue.tell("a", 10)
    queue.tell("a")  # changed here meanwhile
    queue.tell("a", 10)
    assert taken(queue) == ["a"]


def test_tries_for_nothing_are_made_less_and_less_often(queue: TuningQueue, clock: Clock) -> None:
    pauses = []
    queue.tell("a")
    for _ in range(8):
        begun = clock.now
        while queue.take(patience=0) is None:
            clock.now += 0.5
        pauses.append(clock.now - begun)
        queue.tell("a")
        queue.done("a", 1.0, for_nothing=True)
    assert pauses == [0, 1, 2, 4, 8, 16, 30, 30]
    clock.now += 30
    assert queue.take(patience=0) == "a"
    queue.done("a", 1.0, for_nothing=False)
    queue.tell("a")
    assert taken(queue) == ["a"]


def test_a_pause_of_one_keeps_no_other_waiting(queue: TuningQueue) -> None:
    queue.tell("a")
    queue.take()
    queue.done("a", 5.0, for_nothing=True)
    for name in "ab":
        queue.tell(name)
    assert taken(queue) == ["b"]


def test_who_waits_is_told_once_it_is_settled(queue: TuningQueue) -> None:
    told: list[str] = []
    with ExitStack() as waiting:
        for name in "ab":
            queue.tell(name)
            waiting.enter_context(queue.told_when_settled(name, partial(told.append, name)))
        with queue.told_when_settled("c", lambda: told.append("c")):
            assert told == ["c"]
        assert queue.take() == "a"
        queue.tell("a")  # changed meanwhile: not yet
        queue.done("a", 0.0, for_nothing=True)
        assert told == ["c"]
        assert taken(queue) == ["b", "a"]
        assert told == ["c", "b", "a"]


def test_who_waits_no_more_is_not_told(queue: TuningQueue) -> None:
    told: list[str] = []
    queue.tell("a")
    with queue.told_when_settled("a", lambda: told.append("first")):
        pass
    assert taken(queue) == ["a"]
    assert told == []


def test_closing_lets_go_of_all_that_wait() -> None:
    queue = TuningQueue()
    told: list[str] = []
    queue.tell("a", 1000)
    with (
        ThreadPoolExecutor(1) as threads,
        queue.told_when_settled("a", lambda: told.append("a")),
    ):
        waiting = threads.submit(queue.take)
        queue.close()
        assert waiting.result(PATIENCE) is None
        assert told == ["a"]
    queue.tell("a")
    assert queue.take() is None
    with queue.told_when_settled("a", lambda: told.append("closed")):
        assert told == ["a", "closed"]
