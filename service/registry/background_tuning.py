"""The thread that tunes classifiers after their changes, beside the requests."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from time import perf_counter
from typing import Literal

from prometheus_client import Counter, Histogram

from adapters.rest import Rest
from service.problems import StorageFull, StorageUnavailable
from service.registry.core_share import CoreShare
from service.registry.tuning_queue import TuningQueue
from service.storage.errors import Outdated
from service.telemetry.request_trace import own_trace

logger = logging.getLogger("handful")

TUNING_SECONDS = Histogram(
    "handful_tuning_seconds",
    "Time of a background tuning, from its beginning until it is in effect.",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300),
)
TUNINGS = Counter(
    "handful_tunings_total",
    "Background tunings: written, outdated by a change that came meanwhile, or failed.",
    ["outcome"],
)

#: What became of a tuning; nothing where there was nothing to do.
Outcome = Literal["written", "outdated", "failed", "nothing"]
# Seconds until a classifier is looked at again that the database could not take a tuning of.
_DATABASE_AGAIN = 10.0
# Seconds that a service which ends waits for a part of a tuning that does not rest.
_PATIENCE = 5.0


class Abandoned(Exception):
    """The service ends; nothing of the tuning is written."""


class BackgroundTuner:
    """One daemon thread, which tunes one classifier after the other within its share of a core.

    Args:
        queue: Of what it tunes.
        tune: Brings a classifier's tuning up to date; called with its name and with what it calls
            every few milliseconds. Raises ``Outdated`` where the classifier changed meanwhile.
        share: Of one core, that it takes on average.
    """

    def __init__(
        self, queue: TuningQueue, tune: Callable[[str, Rest], Outcome], share: float
    ) -> None:
        self._queue = queue
        self._tune = tune
        self._ends = Event()
        self._thread = Thread(target=self._run, args=(share,), name="tuning", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; a tuning under way is abandoned at its next rest."""
        self._ends.set()
        self._queue.close()
        self._thread.join(_PATIENCE)

    def _run(self, share: float) -> None:
        core = CoreShare(share)  # here: it counts what this thread computes

        def rest() -> None:
            if (seconds := core.owed()) > 0:
                self._ends.wait(seconds)
            if self._ends.is_set():
                raise Abandoned

        while (name := self._queue.take()) is not None:
            started = perf_counter()
            with own_trace("tune", {}, self._queue.begun_by(name)) as span:
                outcome = self._outcome(name, rest)
                span.set_attribute("handful.outcome", outcome)
            seconds = perf_counter() - started
            if outcome != "nothing":
                TUNINGS.labels(outcome).inc()
                TUNING_SECONDS.observe(seconds)
            self._queue.done(name, seconds, for_nothing=outcome == "outdated")

    def _outcome(self, name: str, rest: Rest) -> Outcome:
        try:
            rest()
            return self._tune(name, rest)
        except Abandoned:
            return "nothing"
        except Outdated:
            return "outdated"
        except (StorageFull, StorageUnavailable) as error:
            logger.warning("classifier %r stays with its old tuning for now: %s", name, error)
            self._queue.tell(name, _DATABASE_AGAIN)
            return "failed"
        except Exception:
            logger.exception("classifier %r stays with its old tuning: it cannot be tuned", name)
            return "failed"
