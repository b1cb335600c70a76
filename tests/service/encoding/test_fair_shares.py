"""Max-min fairness: bounds, who is always let in, what tenants have that want everything."""

from __future__ import annotations

import random
from collections import Counter, deque

from hypothesis import given
from hypothesis import strategies as st

from service.encoding.fair_shares import FairShares
from service.tenancy import tenant_of

KEYS = st.builds("{}/{}".format, st.sampled_from("abcd"), st.integers(0, 9))


@given(st.integers(1, 40), st.lists(st.tuples(KEYS, st.integers(1, 200), st.booleans())))
def test_there_are_bounds_and_nobody_is_shut_out(
    most: int, steps: list[tuple[str, int, bool]]
) -> None:
    shares, held = FairShares(most), deque[tuple[int, str]]()
    for key, amount, ends in steps:
        if ends and held:
            shares.remove(*held.popleft())
        tenants = Counter[str]()
        for units, other in held:
            tenants[tenant_of(other)] += min(units, max(1, most // 4))
        assert shares.held == tenants.total()
        admitted = shares.admits(amount, key)
        weight = min(amount, max(1, most // 4))
        if shares.held + weight <= most:
            assert admitted
        if not tenants[tenant_of(key)] and shares.held + weight <= 3 * most:
            assert admitted
        if admitted:
            shares.add(amount, key)
            held.append((amount, key))
            assert shares.held <= 6 * most
            assert tenants[tenant_of(key)] + weight <= 2 * most


def test_tenants_that_want_everything_hold_the_same() -> None:
    # One asks ten times as often, by ten classifiers.
    rng, shares, held = random.Random(0), FairShares(30), deque[str]()
    keys = [f"eager/{i}" for i in range(10)] + ["calm/a", "other/a"]
    counts = Counter[str]()
    for step in range(20_000):
        key = rng.choice(keys)
        if shares.admits(1, key):
            shares.add(1, key)
            held.append(key)
        if step % 3 == 0 and held:
            shares.remove(1, held.popleft())
        if step > 1000:
            counts.update(map(tenant_of, held))
    calm, other = counts["calm"] / counts.total(), counts["other"] / counts.total()
    assert 0.2 < calm < 0.4
    assert 0.2 < other < 0.4


def test_who_held_much_before_leaves_room_for_others() -> None:
    shares = FairShares(8)
    for _ in range(100):
        shares.add(1, "many/a")
    assert not shares.admits(1, "many/a")
    assert not shares.admits(1, "many/b")
    assert shares.admits(1, "few/a")
