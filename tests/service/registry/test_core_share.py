"""A thread's share of a core, on clocks that the tests set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.registry.core_share import CoreShare


class Clocks:
    def __init__(self) -> None:
        self.now = self.spent = 0.0

    def compute(self, seconds: float) -> None:
        self.now += seconds
        self.spent += seconds

    def rest(self, seconds: float) -> None:
        self.now += seconds


def shared(share: float) -> tuple[Clocks, CoreShare]:
    clocks = Clocks()
    return clocks, CoreShare(share, lambda: clocks.now, lambda: clocks.spent)


def test_what_is_short_does_not_rest() -> None:
    clocks, core = shared(0.25)
    for _ in range(5):
        clocks.compute(0.004)
        assert core.owed() == 0
    clocks.compute(0.03)
    assert core.owed() > 0


def test_it_rests_until_the_share_is_kept() -> None:
    clocks, core = shared(0.25)
    clocks.compute(0.12)  # of which 0.02 were saved
    owed = core.owed()
    assert owed == pytest.approx((0.12 - 0.02) / 0.25 - 0.12)
    clocks.rest(owed)
    assert core.owed() == pytest.approx(0, abs=1e-9)


def test_a_long_rest_is_saved_up_only_so_far() -> None:
    clocks, core = shared(0.25)
    clocks.rest(1000)
    assert core.owed() == 0
    clocks.compute(0.1)
    assert core.owed() == pytest.approx((0.1 - 0.02) / 0.25 - 0.1)


@given(share=st.floats(0.01, 1), parts=st.lists(st.floats(0, 0.2), min_size=1, max_size=50))
def test_over_any_time_it_takes_no_more_than_its_share(share: float, parts: list[float]) -> None:
    clocks, core = shared(share)
    for part in parts:
        clocks.compute(part)
        clocks.rest(core.owed())
    assert clocks.spent <= 0.02 + share * clocks.now + 1e-9
