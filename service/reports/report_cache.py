"""Cache of reports: the last one of each classifier, for as long as its state is the same."""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple
from weakref import WeakKeyDictionary

from service.problems import SeveralLabels
from service.registry.live import LiveClassifier
from service.reports.classification_report import classification_report
from service.reports.leave_one_out import LeaveOneOut
from service.reports.schemas import ReportOut
from service.reports.votes import Votes
from service.storage.records import State


class _Made(NamedTuple):
    state: State
    report: ReportOut
    votes: Votes


class ReportCache:
    """Cache of reports by the state of a classifier; a page, its picture and its JSON share one.

    A state is known by :class:`service.storage.records.State`, whose revision is counted up by
    every change. One report is kept for each classifier in memory with the votes that it counts,
    and forgotten with it.

    Computing is *single flight*: one report is computed at a time, and whoever asks for the same
    one meanwhile waits for it and finds it here. That is this lock's only purpose. How many
    requests wait for it, and in how many threads, is bounded by the limiter of the routes
    (``service.api.limiters``): without it, waiting requests would take the threads of predictions.

    Args:
        root_path: Where clients find the service, for the addresses of images.
    """

    def __init__(self, root_path: str = "") -> None:
        self.root_path = root_path
        self._single_flight = Lock()
        self._made: WeakKeyDictionary[LiveClassifier, _Made] = WeakKeyDictionary()

    def report_on(self, live: LiveClassifier) -> ReportOut:
        """Report on the present state; blocks while one is computed, and locks no classifier."""
        return self._made_of(live).report

    def votes_on(self, live: LiveClassifier) -> Votes:
        """Votes that the report on the present state counts; blocks as it does."""
        return self._made_of(live).votes

    def _made_of(self, live: LiveClassifier) -> _Made:
        if live.settings.multi_label:
            raise SeveralLabels(
                "A report names one class for each image, and its images may have several labels."
                " GET .../report/labels tells how well each label is found."
            )
        with self._single_flight:
            # Before the snapshot: a change between the two makes a report newer than its key,
            # which is computed again when it is asked for next; never an older one.
            state = live.state
            cached = self._made.get(live)
            if cached is not None and cached.state == state:
                return cached
            snapshot = live.snapshot()
            left_out = LeaveOneOut.of(snapshot)
            report = classification_report(snapshot, self.root_path, left_out)
            made = self._made[live] = _Made(state, report, Votes.of(snapshot, left_out))
            return made
