"""When a change is tuned: the rule, and what follows from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.registry.tuning_time import tuned_at_once

SIZES = st.integers(0, 100_000)


@pytest.mark.parametrize(
    ("before", "added", "removed", "at_once"),
    [
        (0, 1, 0, True),
        (63, 1, 0, True),
        (64, 1, 0, False),
        (65, 0, 1, True),
        (66, 0, 1, False),
        (10_000, 0, 0, False),
        (10_000, 0, 9_936, True),
        (10_000, 1_249, 0, False),
        (10_000, 1_250, 0, True),
        (0, 10_000, 0, True),
    ],
)
def test_small_sets_and_bulk_are_tuned_at_once(
    before: int, added: int, removed: int, at_once: bool
) -> None:
    assert tuned_at_once(before=before, added=added, removed=removed, settings=False) == at_once


@given(before=SIZES, added=SIZES, share=st.floats(0, 1))
def test_other_settings_are_always_tuned_at_once(before: int, added: int, share: float) -> None:
    removed = int(before * share)
    assert tuned_at_once(before=before, added=added, removed=removed, settings=True)


@given(sizes=st.lists(st.integers(1, 3000), max_size=60))
def test_what_is_tuned_at_once_stays_in_proportion_to_what_is_added(sizes: list[int]) -> None:
    tuned = n = 0
    for added in sizes:
        if tuned_at_once(before=n, added=added, removed=0, settings=False) and n + added > 64:
            tuned += n + added
        n += added
    assert tuned <= 9 * n
