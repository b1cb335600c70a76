"""What is admitted once somebody was refused, when those may come again, and what is shed first."""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque

import pytest

from service.encoding import backpressure
from service.encoding.backpressure import AdmissionControl
from service.encoding.fair_queue import Priority
from service.encoding.throughput import Throughput
from service.problems import Overloaded

QUERIES, REGISTRATIONS = Priority.QUERIES, Priority.REGISTRATIONS
RATE = 100


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.5
        monkeypatch.setattr(backpressure, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Waiting:
    """A backlog that is worked off at a rate."""

    def __init__(self) -> None:
        self.waiting = dict.fromkeys(Priority, 0)
        self.throughput = Throughput()
        self.throughput.note(RATE, 1.0)


def refusal(admission: AdmissionControl, key: str = "a", lane: Priority = QUERIES) -> int:
    with pytest.raises(Overloaded) as refused:
        admission.admit(1, key, lane)
    headers = refused.value.headers
    assert headers is not None
    return int(headers["retry-after"])


def filled(backlog: Waiting, most: int = 64, standing: int = 8) -> AdmissionControl:
    admission = AdmissionControl(backlog, most, standing)
    for _ in range(most):
        admission.admit(1, "a", QUERIES)
        backlog.waiting[QUERIES] += 1
    return admission


def released(admission: AdmissionControl, backlog: Waiting, number: int) -> None:
    for _ in range(number):
        admission.release(1, "a", QUERIES)
        backlog.waiting[QUERIES] -= 1


def test_after_a_refusal_no_long_queue_is_admitted(clock: Clock) -> None:
    backlog = Waiting()
    admission = filled(backlog)
    assert refusal(admission) == 1
    released(admission, backlog, 56)
    refusal(admission)
    released(admission, backlog, 1)
    admission.admit(1, "a", QUERIES)
    refusal(admission)
    # Once all who were refused have been told to come, a burst is one again.
    clock.now += 2.5
    for _ in range(56):
        admission.admit(1, "a", QUERIES)


def test_no_burst_is_let_in_that_takes_long(clock: Clock) -> None:
    backlog = Waiting()
    admission = AdmissionControl(backlog, 10 * RATE, 8)
    for _ in range(2 * RATE + 1):
        admission.admit(1, "a", QUERIES)
        backlog.waiting[QUERIES] += 1
    refusal(admission)
    # Images of a large request take long as well; a few others find a place beside it.
    backlog = Waiting()
    admission = AdmissionControl(backlog, 10 * RATE, 8)
    admission.admit(20 * RATE, "a", QUERIES)
    backlog.waiting[QUERIES] += 20 * RATE
    for _ in range(6):
        admission.admit(1, "a", QUERIES)
    refusal(admission)


def test_a_queue_that_nobody_was_refused_for_may_stand(clock: Clock) -> None:
    # A closed loop of so many clients: what is answered comes again, for ever.
    backlog = Waiting()
    admission = filled(backlog)
    for _ in range(1000):
        clock.now += 0.01
        released(admission, backlog, 1)
        admission.admit(1, "a", QUERIES)
        backlog.waiting[QUERIES] += 1


def test_who_is_refused_is_told_of_those_that_were_refused_before(clock: Clock) -> None:
    backlog = Waiting()
    admission = filled(backlog)
    told = [refusal(admission) for _ in range(10 * RATE)]
    assert told == sorted(told)
    assert told[0] == 1
    assert told[-1] in (10, 11)  # 64 and 999 at 100 a second
    assert Counter(told)[5] == RATE


def test_what_another_tenant_was_refused_tells_nobody_to_come_later(clock: Clock) -> None:
    backlog = Waiting()
    admission = filled(backlog)
    for _ in range(30):
        refusal(admission)
        with pytest.raises(Overloaded):
            admission.admit(RATE, "a", QUERIES)
    assert refusal(admission, "b") == 30
    released(admission, backlog, 64)
    for _ in range(8):
        admission.admit(1, "few/a", QUERIES)
    assert refusal(admission, "few/a") == 1
    # As many come before its next one as it has: those of one other tenant, in turns.
    assert [refusal(admission, "few/a") for _ in range(RATE)].count(2) > RATE // 2 - 10


def test_a_tenant_that_holds_nothing_is_let_in_after_a_burst_of_others(clock: Clock) -> None:
    backlog = Waiting()
    admission = AdmissionControl(backlog, 64, 8)
    for key in ("one/a", "another/a") * 32:
        admission.admit(1, key, QUERIES)
    refusal(admission, "one/a")
    admission.admit(1, "few/a", QUERIES)
    admission.admit(1, "few/a", QUERIES)
    refusal(admission, "few/a")


def test_clients_that_come_when_they_are_told_are_let_in_then(clock: Clock) -> None:
    # Ten times as many at once as may wait; they are served at a rate, and obey.
    backlog = Waiting()
    admission = AdmissionControl(backlog, 64, 16)
    rng, refusals, longest = random.Random(0), Counter[int](), 0.0
    coming = [(clock.now + rng.random() / 100, client) for client in range(640)]
    heapq.heapify(coming)
    begin, served = clock.now, clock.now
    inside: deque[float] = deque()
    while coming:
        clock.now, client = heapq.heappop(coming)
        while inside and inside[0] <= clock.now:
            inside.popleft()
            released(admission, backlog, 1)
        try:
            admission.admit(1, "a", QUERIES)
        except Overloaded as problem:
            refusals[client] += 1
            wait = int((problem.headers or {})["retry-after"])
            heapq.heappush(coming, (clock.now + wait + rng.random(), client))
            continue
        backlog.waiting[QUERIES] += 1
        served = max(served, clock.now) + 1 / RATE
        inside.append(served)
        longest = max(longest, served - clock.now)
    assert served - begin < 2 * 640 / RATE  # the service was not left idle for long
    assert max(refusals.values()) <= 8
    assert sum(refusals.values()) / 640 < 3


def test_registrations_of_whose_queries_are_refused_are_refused_too(clock: Clock) -> None:
    backlog = Waiting()
    admission = AdmissionControl(backlog, 8, 4)
    admission.admit(1, "many/a", REGISTRATIONS)
    for _ in range(8):
        admission.admit(1, "many/a", QUERIES)
    assert not admission.sheds("many/b", REGISTRATIONS)
    refusal(admission, "many/a")
    assert admission.sheds("many/b", REGISTRATIONS)
    assert admission.sheds("many/b", Priority.JOBS)
    assert not admission.sheds("many/b", QUERIES)
    assert not admission.sheds("few/a", Priority.JOBS)
    refusal(admission, "many/b", REGISTRATIONS)
    admission.admit(1, "few/a", REGISTRATIONS)
    clock.now += 3
    admission.admit(1, "many/b", REGISTRATIONS)


def test_jobs_rest_while_registrations_are_refused(clock: Clock) -> None:
    admission = AdmissionControl(Waiting(), 8, 4)
    for _ in range(8):
        admission.admit(1, "a", REGISTRATIONS)
    refusal(admission, "a", REGISTRATIONS)
    assert admission.sheds("a", Priority.JOBS)
    assert not admission.sheds("a", REGISTRATIONS)
    admission.admit(1, "a", QUERIES)


def test_nothing_is_shed_where_nothing_waits_any_more(clock: Clock) -> None:
    backlog = Waiting()
    admission = filled(backlog)
    refusal(admission)
    assert admission.sheds("a", Priority.JOBS)
    released(admission, backlog, 64)
    assert not admission.sheds("a", Priority.JOBS)
    admission.admit(1, "a", REGISTRATIONS)
