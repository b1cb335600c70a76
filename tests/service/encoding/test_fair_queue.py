"""Turns between classifiers, and between queries, registrations and jobs."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from service.encoding.fair_queue import LOWER_SHARE, FairQueue, Priority
from service.tenancy import tenant_of

KEYS = st.sampled_from(["a", "b", "c", "lab/a", "lab/b", "shop/a"])
LANES = st.sampled_from(list(Priority))
Item = tuple[Priority, str, int]


class Queue(RuleBasedStateMachine):
    """Against lists: nothing is lost, nobody is passed over."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[Item] = FairQueue()
        self.waiting: dict[tuple[Priority, str], list[Item]] = defaultdict(list)
        # How often each waiting key was passed over by each other key of its priority.
        self.passed: dict[tuple[Priority, str], dict[str, int]] = {}
        # ... and each waiting tenant by each other tenant.
        self.tenants_passed: dict[tuple[Priority, str], dict[str, int]] = {}
        self.queries_in_a_row = 0
        self.registrations_in_a_row = 0
        self.number = 0

    def others(self) -> bool:
        return bool(self.priority(Priority.REGISTRATIONS) or self.priority(Priority.JOBS))

    def priority(self, priority: Priority) -> list[str]:
        return [
            key for where, key in self.waiting if where is priority and self.waiting[where, key]
        ]

    @rule(key=KEYS, priority=LANES, count=st.integers(1, 6))
    def put(self, key: str, priority: Priority, count: int) -> None:
        tenant = tenant_of(key)
        if tenant not in map(tenant_of, self.priority(priority)):
            self.tenants_passed[priority, tenant] = defaultdict(int)
        for _ in range(count):
            if not self.waiting[priority, key]:
                self.passed[priority, key] = defaultdict(int)
            item = (priority, key, self.number)
            self.number += 1
            self.queue.put(item, key, priority)
            self.waiting[priority, key].append(item)

    @rule(key=KEYS, priority=LANES, data=st.data())
    def discard(self, key: str, priority: Priority, data: st.DataObject) -> None:
        if items := self.waiting[priority, key]:
            item = data.draw(st.sampled_from(items))
            items.remove(item)
            self.queue.discard(item, key, priority)
        self.queue.discard((priority, key, -1), key, priority)

    @rule(most=st.integers(1, 9))
    def take_queries(self, most: int) -> None:
        before = self.queue.waiting(Priority.QUERIES)
        taken = self.queue.take(most, background=False)
        assert len(taken) == min(most, before)
        for priority, key, number in taken:
            assert self.waiting[priority, key].pop(0) == (Priority.QUERIES, key, number)
            self.turn(priority, key)
            self.queries_in_a_row = self.queries_in_a_row + 1 if self.others() else 0
        if not before:
            self.queries_in_a_row = 0

    def turn(self, priority: Priority, key: str) -> None:
        self.passed[priority, key] = defaultdict(int)
        mine = tenant_of(key)
        self.tenants_passed[priority, mine] = defaultdict(int)
        waiting = self.priority(priority)
        for other in waiting:
            if other != key and tenant_of(other) == mine:
                self.passed[priority, other][key] += 1
                assert self.passed[priority, other][key] <= 1, "a key had two turns"
        for tenant in set(map(tenant_of, waiting)) - {mine}:
            self.tenants_passed[priority, tenant][mine] += 1
            assert self.tenants_passed[priority, tenant][mine] <= 1, "a tenant had two turns"

    @rule(most=st.integers(1, 9))
    def take(self, most: int) -> None:
        queries = bool(self.priority(Priority.QUERIES))
        before = len(self.queue)
        taken = self.queue.take(most)
        assert bool(taken) == bool(before)
        if not queries:
            assert len(taken) == min(most, before)
            self.queries_in_a_row = 0
        for priority, key, number in taken:
            if queries:
                assert self.priority(Priority.QUERIES), "a registration filled a batch of queries"
                if priority is Priority.QUERIES:
                    self.queries_in_a_row = self.queries_in_a_row + 1 if self.others() else 0
                    assert self.queries_in_a_row < LOWER_SHARE, "registrations and jobs starve"
                else:
                    assert self.queries_in_a_row >= LOWER_SHARE - 1, "queries are held up"
                    self.queries_in_a_row = 0
            if priority is Priority.REGISTRATIONS:
                waits = bool(self.priority(Priority.JOBS))
                self.registrations_in_a_row = self.registrations_in_a_row + 1 if waits else 0
                assert self.registrations_in_a_row < LOWER_SHARE, "jobs starve"
            elif priority is Priority.JOBS:
                if self.priority(Priority.REGISTRATIONS):
                    held_up = self.registrations_in_a_row < LOWER_SHARE - 1
                    assert not held_up, "registrations are held up"
                self.registrations_in_a_row = 0
            assert self.waiting[priority, key].pop(0) == (priority, key, number)
            self.turn(priority, key)
        if queries and len(taken) < most:
            assert not self.priority(Priority.QUERIES)

    @invariant()
    def length(self) -> None:
        assert len(self.queue) == sum(map(len, self.waiting.values()))


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True
)


def test_one_image_of_another_classifier_waits_for_one_of_each() -> None:
    queue: FairQueue[str] = FairQueue()
    for i in range(100):
        queue.put(f"large {i}", "large", Priority.QUERIES)
    queue.put("single", "small", Priority.QUERIES)
    assert queue.take(2) == ["large 0", "single"]
    assert queue.take(3) == ["large 1", "large 2", "large 3"]


def test_a_registration_has_every_fourth_turn_while_queries_wait() -> None:
    queue: FairQueue[int] = FairQueue()
    for i in range(40):
        queue.put(i, "a", Priority.QUERIES)
        queue.put(100 + i, "b", Priority.REGISTRATIONS)
    one_by_one = [queue.take(1)[0] for _ in range(8)]
    assert one_by_one == [0, 1, 2, 100, 3, 4, 5, 101]
    assert queue.take(8) == [6, 7, 8, 102, 9, 10, 11, 103]


def test_a_job_has_every_fourth_turn_of_registrations() -> None:
    queue: FairQueue[int] = FairQueue()
    for i in range(40):
        queue.put(i, "a", Priority.QUERIES)
        queue.put(100 + i, "b", Priority.REGISTRATIONS)
        queue.put(200 + i, "b", Priority.JOBS)
    taken = [queue.take(1)[0] for _ in range(32)]
    assert [item for item in taken if item >= 100] == [100, 101, 102, 200, 103, 104, 105, 201]


def test_registrations_do_not_fill_the_batch_of_a_query() -> None:
    queue: FairQueue[int] = FairQueue()
    for i in range(40):
        queue.put(i, "a", Priority.REGISTRATIONS)
    queue.put(100, "b", Priority.QUERIES)
    assert queue.take(16) == [100]
    assert queue.take(16) == list(range(16))
