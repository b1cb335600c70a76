"""The last report of each classifier, for as long as the classifier stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from weakref import WeakKeyDictionary

from service.registry.live import LiveClassifier
from service.reports.report import report
from service.reports.schemas import ReportOut
from service.storage.records import ClassRecord


class LatestReports:
    """Reports by classifier; a page, its picture and its JSON cost one computation.

    Reports are made one at a time: they use all cores, and whoever asks second for the same one
    finds it. A report is forgotten with its classifier.

    Args:
        root_path: Where clients find the service, for the addresses of images.
    """

    def __init__(self, root_path: str = "") -> None:
        self._root_path = root_path
        self._lock = Lock()
        # Every change of a classifier replaces its mapping of classes, which marks the state.
        self._reports: WeakKeyDictionary[
            LiveClassifier, tuple[Mapping[str, ClassRecord], ReportOut]
        ] = WeakKeyDictionary()

    def of(self, live: LiveClassifier) -> ReportOut:
        """The report on the present state; blocks while one is made, and locks no classifier."""
        with self._lock:
            snapshot = live.snapshot()
            known = self._reports.get(live)
            if known is not None and known[0] is snapshot.records:
                return known[1]
            made = report(snapshot, self._root_path)
            self._reports[live] = (snapshot.records, made)
            return made
