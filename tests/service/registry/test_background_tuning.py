"""The thread that tunes: what it is told of, what it survives, how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from time import monotonic, sleep

import pytest
from prometheus_client import REGISTRY

from adapters.rest import Rest
from service.problems import StorageFull
from service.registry.background_tuning import BackgroundTuner, Outcome
from service.registry.tuning_queue import TuningQueue
from service.storage.errors import Outdated

PATIENCE = 60


class Tunings:
    """Tunes nothing; each waits for its gate if there is one, and ends as it is told to."""

    def __init__(self) -> None:
        self.queue = TuningQueue()
        self.begun: list[str] = []
        self.gates: dict[str, Event] = {}
        self.ends: dict[str, Callable[[], Outcome]] = {}

    def __call__(self, name: str, rest: Rest) -> Outcome:
        self.begun.append(name)
        gate = self.gates.get(name)
        while gate is not None and not gate.wait(0.001):
            rest()
        return self.ends.get(name, lambda: "written")()

    def settled(self, name: str) -> None:
        done = Event()
        with self.queue.told_when_settled(name, done.set):
            assert done.wait(PATIENCE)

    def until_begun(self, name: str, times: int = 1) -> None:
        end = monotonic() + PATIENCE
        while self.begun.count(name) < times:
            assert monotonic() < end
            sleep(0.001)


@pytest.fixture
def tunings() -> Tunings:
    return Tunings()


@contextmanager
def running(tunings: Tunings) -> Iterator[BackgroundTuner]:
    tuner = BackgroundTuner(tunings.queue, tunings, share=1)
    try:
        yield tuner
    finally:
        for gate in tunings.gates.values():
            gate.set()
        tuner.close()


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("handful_tunings_total", {"outcome": outcome}) or 0.0


def raising(error: Exception) -> Callable[[], Outcome]:
    def end() -> Outcome:
        raise error

    return end


def test_changes_while_it_is_tuned_are_one_more_tuning(tunings: Tunings) -> None:
    gate = tunings.gates["a"] = Event()
    before = counted("written")
    with running(tunings):
        tunings.queue.tell("a")
        tunings.until_begun("a")
        assert tunings.queue.running("a")
        for _ in range(5):
            tunings.queue.tell("a")
            tunings.queue.tell("b")
        gate.set()
        tunings.settled("a")
        tunings.settled("b")
    assert tunings.begun == ["a", "a", "b"]
    assert counted("written") == before + 3


def test_failures_do_not_end_it(tunings: Tunings, caplog: pytest.LogCaptureFixture) -> None:
    tunings.ends = {"a": raising(ValueError("a defect")), "b": raising(Outdated())}
    before = {outcome: counted(outcome) for outcome in ("failed", "outdated", "written")}
    with running(tunings):
        for name in "abc":
            tunings.queue.tell(name)
            tunings.settled(name)
    assert tunings.begun == ["a", "b", "c"]
    assert "classifier 'a' stays with its old tuning" in caplog.text
    assert "a defect" in caplog.text
    assert {outcome: counted(outcome) - n for outcome, n in before.items()} == dict.fromkeys(
        before, 1
    )


def test_what_the_disk_has_no_room_for_is_tried_again_later(
    tunings: Tunings, caplog: pytest.LogCaptureFixture
) -> None:
    tunings.ends = {"a": raising(StorageFull("There is no room."))}
    with running(tunings):
        tunings.queue.tell("a")
        tunings.queue.tell("b")
        tunings.settled("b")
        assert tunings.begun == ["a", "b"]
        assert tunings.queue.pending("a")
    assert "Traceback" not in caplog.text


def test_nothing_to_do_is_no_tuning(tunings: Tunings) -> None:
    tunings.ends = {"a": lambda: "nothing"}
    seconds = REGISTRY.get_sample_value("handful_tuning_seconds_count")
    with running(tunings):
        tunings.queue.tell("a")
        tunings.settled("a")
    assert REGISTRY.get_sample_value("handful_tuning_seconds_count") == seconds


def test_closing_abandons_the_tuning_under_way(tunings: Tunings) -> None:
    tunings.gates["a"] = Event()
    written = counted("written")
    tuner = BackgroundTuner(tunings.queue, tunings, share=1)
    tunings.queue.tell("a")
    tunings.queue.tell("b")
    tunings.until_begun("a")
    tuner.close()
    assert not tuner._thread.is_alive()
    assert tunings.begun == ["a"]
    assert counted("written") == written


def test_closing_ends_a_long_rest(tunings: Tunings) -> None:
    """A thread that is to take a millionth of a core rests for hours after some milliseconds."""
    computed = Event()

    def compute(name: str, rest: Rest) -> Outcome:
        while True:
            sum(range(100_000))
            computed.set()
            rest()

    tuner = BackgroundTuner(tunings.queue, compute, share=1e-6)
    tunings.queue.tell("a")
    assert computed.wait(PATIENCE)
    tuner.close()
    assert not tuner._thread.is_alive()
