"""Back-off: bounded waits, within a bounded time, never shorter than asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from handful_client.backoff import Backoff, passes, seconds_asked
from handful_client.errors import problem_of
from hypothesis import given
from hypothesis import strategies as st

SECONDS = st.floats(0, 1000)


@given(
    patience=SECONDS,
    calls=st.lists(
        st.tuples(st.none() | SECONDS, SECONDS, st.floats(0, 1)), min_size=1, max_size=30
    ),
)
def test_waits_are_as_long_as_asked_and_end_with_the_patience(
    patience: float, calls: list[tuple[float | None, float, float]]
) -> None:
    now, share = 0.0, 0.0
    backoff = Backoff(patience, lambda: now, lambda low, high: low + share * (high - low))
    for failures, (asked, taken, share) in enumerate(calls):
        now += taken
        pause = backoff.pause(asked)
        longest = min(8.0, 0.5 * 2**failures)
        expected = (asked or 0.0) + share * longest
        if pause is None:
            assert now + expected > patience
            return
        assert pause == pytest.approx(expected)
        assert now + pause <= patience
        now += pause


@given(st.integers(0, 10**6))
def test_seconds_are_read(seconds: int) -> None:
    assert seconds_asked(f" {seconds} ") == seconds


@pytest.mark.parametrize("header", [None, "", "soon", "-3", "1.5.2", "Mon, 99 Foo"])
def test_what_says_no_time_is_no_time(header: str | None) -> None:
    assert seconds_asked(header) is None


def test_dates_are_read_and_the_past_is_now() -> None:
    now = datetime.now(UTC)
    later = seconds_asked(format_datetime(now + timedelta(hours=1), usegmt=True))
    assert later == pytest.approx(3600, abs=60)
    assert seconds_asked(format_datetime(now - timedelta(hours=1), usegmt=True)) == 0
    assert seconds_asked("Sun Nov  6 08:49:37 1994") == 0  # asctime, as RFC 9110 has it too


def test_a_proxy_whose_replica_died_is_asked_again_and_a_defect_of_the_service_is_not() -> None:
    assert passes(problem_of(500, b"Internal Server Error"))
    assert not passes(problem_of(500, b'{"type": "internal-error", "title": "The service failed"}'))
