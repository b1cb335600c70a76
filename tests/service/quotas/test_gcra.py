"""GCRA is a token bucket, in one process and in memory that processes share."""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.access.limits import RateLimits
from service.problems import RateLimited
from service.quotas.gcra import Charge, ProcessMeters
from service.quotas.request_quota import RequestQuota, policies_of
from service.quotas.shared_meters import SharedMeters


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Bucket:
    """A token bucket as textbooks have it, which may go into debt when it is full."""

    def __init__(self, per_second: float) -> None:
        self.per_second, self.capacity = per_second, max(1.0, per_second)
        self.tokens, self.at = self.capacity, 0.0

    def take(self, amount: float, now: float) -> bool:
        self.tokens = min(self.capacity, self.tokens + (now - self.at) * self.per_second)
        self.at = now
        if self.tokens < min(amount, self.capacity) - 1e-6:
            return False
        self.tokens -= amount
        return True


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.125, 0.5, 1.0, 3.0, 50.0]),
        st.integers(0, 2),
        st.integers(1, 40),
    ),
    max_size=60,
)
RATES = st.lists(st.sampled_from([0.25, 1.0, 2.5, 8.0, 100.0]), min_size=3, max_size=3)


@settings(deadline=None)
@given(STEPS, RATES, st.booleans())
def test_it_gives_what_token_buckets_give(
    steps: list[tuple[float, int, int]], rates: list[float], shared: bool
) -> None:
    clock = Clock()
    buckets = [Bucket(rate) for rate in rates]
    for bucket in buckets:
        bucket.at = clock.now
    with tempfile.TemporaryDirectory() as folder:
        meters = SharedMeters(Path(folder) / "meters", clock) if shared else ProcessMeters(clock)
        for pause, which, amount in steps:
            clock.now += pause
            [balance] = meters.take([Charge(f"b{which}", amount, rates[which])])
            assert (balance.wait == 0) == buckets[which].take(amount, clock.now)
            assert balance.left == pytest.approx(max(0.0, buckets[which].tokens), abs=1e-4)
            if balance.wait:  # and after that time it is given
                clock.now += balance.wait + 1e-6
                [again] = meters.take([Charge(f"b{which}", amount, rates[which])])
                assert again.wait == 0
                assert buckets[which].take(amount, clock.now)


@pytest.mark.parametrize("shared", [False, True])
def test_all_charges_are_taken_or_none(tmp_path: Path, shared: bool) -> None:
    clock = Clock()
    meters = SharedMeters(tmp_path / "m", clock) if shared else ProcessMeters(clock)
    many, few = Charge("many", 1, 10), Charge("few", 1, 1)
    assert [one.wait for one in meters.take([many, few])] == [0, 0]
    refused = meters.take([many, few])
    assert refused[0].wait == 0
    assert refused[1].wait == pytest.approx(1)
    [left] = meters.take([Charge("many", 9, 10)])  # nothing was taken of it meanwhile
    assert left.wait == 0


def _take_from(path: Path, times: int, given: Sequence[object]) -> None:
    meters = SharedMeters(path, lambda: 5.0)  # time stands still
    taken = sum(
        not meters.take([Charge("one", 1, 1000), Charge("other", 1, 10**6)])[0].wait
        for _ in range(times)
    )
    given.put(taken)  # type: ignore[attr-defined]


def test_processes_share_buckets_exactly(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    given = context.Queue()
    processes = [
        context.Process(target=_take_from, args=(tmp_path / "m", 700, given)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    taken = [given.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sum(taken) == 1000  # of 2100 asked for


def test_a_table_that_is_full_still_counts(tmp_path: Path) -> None:
    clock = Clock()
    meters = SharedMeters(tmp_path / "m", clock)
    for i in range(20_000):
        meters.take([Charge(f"b{i}", 1, 1)])
    again = sum(bool(meters.take([Charge(f"b{i}", 1, 1)])[0].wait) for i in range(20_000))
    assert again == 20_000
    assert (tmp_path / "m").stat().st_size < 2 * 2**20


def test_what_nobody_uses_takes_no_memory() -> None:
    clock = Clock()
    meters = ProcessMeters(clock)
    for i in range(50_000):
        clock.now += 0.01
        meters.take([Charge(f"b{i}", 1, 1)])
    assert len(vars(meters)["_full_at"]) <= 4097


def test_header_fields_tell_what_is_left() -> None:
    clock = Clock()
    policies = [
        *policies_of(RateLimits(requests_per_second=2), "key", "k"),
        *policies_of(RateLimits(requests_per_second=0.5, images_per_second=10), "tenant", "t"),
    ]
    meters = ProcessMeters(clock)
    quota = RequestQuota(policies, meters)
    assert quota.fields() == []
    asyncio.run(quota.take("requests", 1))
    asyncio.run(quota.take("images", 3))
    told = dict(quota.fields())
    assert told[b"ratelimit-policy"] == (
        b'"key-requests";q=2;w=1, "tenant-requests";q=1;w=2, "tenant-images";q=10;w=1'
    )
    assert told[b"ratelimit"] == (
        b'"key-requests";r=1, "tenant-requests";r=0;t=2, "tenant-images";r=7'
    )
    with pytest.raises(RateLimited) as refused:
        asyncio.run(RequestQuota(policies, meters).take("requests", 1))
    assert (refused.value.headers or {})["retry-after"] == "2"
    assert "tenant" in str(refused.value.detail)
    clock.now += 2
    asyncio.run(RequestQuota(policies, meters).take("requests", 1))
