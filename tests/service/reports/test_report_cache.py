"""The cache of reports: one computation for each state, whoever asks and however many at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import cast

import pytest
import torch

from adapters.embeddings import ClassSet, SupportSet
from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings
from service.registry.live import LiveClassifier
from service.registry.snapshot import Snapshot
from service.reports.leave_one_out import LeaveOneOut
from service.reports.report_cache import ReportCache
from service.storage.records import State

FINGERPRINT = "f" * 64
CREATED = datetime(2026, 1, 2, tzinfo=UTC)


class Live:
    """A classifier without classes that counts how often a report was computed on it."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.settings = ClassifierSettings()
        self.snapshots = 0
        #: Called while a report is computed.
        self.meanwhile: Callable[[], None] = lambda: None

    def snapshot(self) -> Snapshot:
        self.snapshots += 1
        self.meanwhile()
        classes = ClassSet(torch.empty(0, dtype=torch.int64), None)
        support = SupportSet.empty(4, 4)
        return Snapshot(
            name="empty",
            method="tip-adapter++",
            logit_scale=20.0,
            records={},
            images={},
            classes=classes,
            support=support,
            tuning=Tuning(),
            joint=False,
        )


def as_live(live: Live) -> LiveClassifier:
    return cast(LiveClassifier, live)


@pytest.fixture
def live() -> Live:
    return Live(State(7, CREATED, 1, FINGERPRINT))


def test_report_is_computed_once_for_a_state(live: Live) -> None:
    cache = ReportCache()
    first = cache.report_on(as_live(live))
    # States are compared by value, not by identity.
    live.state = State(7, CREATED, 1, FINGERPRINT)
    assert cache.report_on(as_live(live)) is first
    assert live.snapshots == 1


@pytest.mark.parametrize(
    "state",
    [
        State(7, CREATED, 2, FINGERPRINT),
        State(8, CREATED, 1, FINGERPRINT),
        State(7, CREATED.replace(microsecond=1), 1, FINGERPRINT),
    ],
)
def test_report_is_computed_again_for_another_state(live: Live, state: State) -> None:
    cache = ReportCache()
    first = cache.report_on(as_live(live))
    live.state = state
    assert cache.report_on(as_live(live)) is not first
    assert live.snapshots == 2


def test_concurrent_requests_share_one_computation(live: Live) -> None:
    cache = ReportCache()
    together = Barrier(8)

    def ask(_: int) -> int:
        together.wait(30)
        return id(cache.report_on(as_live(live)))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert live.snapshots == 1


def test_change_during_a_computation_makes_the_next_request_compute_again(live: Live) -> None:
    cache = ReportCache()

    def change() -> None:
        live.state = live.state._replace(revision=2)

    live.meanwhile = change
    cache.report_on(as_live(live))
    cache.report_on(as_live(live))
    cache.report_on(as_live(live))
    assert live.snapshots == 2


def test_report_and_its_votes_share_one_leave_one_out(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[LeaveOneOut] = []
    leave_out = LeaveOneOut.of

    def counted(snapshot: Snapshot) -> LeaveOneOut:
        made.append(leave_out(snapshot))
        return made[-1]

    monkeypatch.setattr(LeaveOneOut, "of", counted)
    cache = ReportCache()
    votes = cache.votes_on(as_live(live))
    cache.report_on(as_live(live))
    assert cache.votes_on(as_live(live)) is votes
    assert live.snapshots == len(made) == 1
