"""Concurrency limiters: how many requests may take a thread at a time, by what they do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

import anyio
from fastapi import Request

# Writers wait for each other in threads; with places of their own they never take the readers'.
_WRITER_THREADS = 8
# Each client that is told of a job costs a look at the database twice a second.
_EVENT_STREAMS = 200
# One thumbnail is decoded at a time; the others read their bytes, perhaps from a bucket.
_THUMBNAIL_THREADS = 4


class WriterQueues:
    """Single-writer queues: changes of one classifier wait in line, in the order they came.

    Invariant: no classifier has more than one of the writers' threads. Those that wait do so on
    the event loop, where waiting takes no thread; that nothing else writes meanwhile is promised
    by the classifier's single-writer lock in the registry, which callers without an event loop
    take as well.
    """

    def __init__(self) -> None:
        # A lock lives as long as somebody holds it or waits for it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, classifier: str) -> asyncio.Lock:
        """The queue of one classifier."""
        return self._locks.setdefault(classifier, asyncio.Lock())


class TenantLimiters:
    """Limiters of one kind of work: one a tenant, so none takes another one's places.

    Args:
        places: Of each tenant.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        # A limiter lives as long as somebody holds a place of it.
        self._limiters: WeakValueDictionary[str, anyio.CapacityLimiter] = WeakValueDictionary()

    def of(self, tenant: str) -> anyio.CapacityLimiter:
        """The limiter of one tenant."""
        if (limiter := self._limiters.get(tenant)) is None:
            limiter = self._limiters[tenant] = anyio.CapacityLimiter(self._places)
        return limiter


@dataclass(frozen=True, slots=True)
class Limiters:
    """The limiters of one application, made with it. For the event loop's thread.

    Attributes:
        writer_queues: Single-writer queues, one a classifier.
        writers: Thread limiter of changes. At most 8 threads change classifiers, whatever waits,
            and none of them is one that answers need.
        archives: Limiter of capacity 1: at most one directory of a zip is read at a time. It is
            Python that reads them, beside the event loop.
        documents: Limiter of capacity 1: at most one large JSON document of images is parsed at a
            time, for the same reason.
        reports: Limiter of capacity 1: at most one report is computed at a time. Computing uses
            all cores, so more would not be done sooner, but take the places of predictions.
        suggestions: Limiter of capacity 1: images are chosen from one pool at a time.
        thumbnails: Thread limiter of thumbnails that are not kept yet: at most 4 are in memory.
        thumbnails_of: Limiters of those that wait for these threads, 4 a tenant: who asks for many
            lets others pass after so many.
        prompts: Limiter of capacity 1: trained prompts are read one after the other.
        event_streams: Limiters of clients that are told of jobs, one a tenant.
    """

    writer_queues: WriterQueues = field(default_factory=WriterQueues)
    writers: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(_WRITER_THREADS)
    )
    archives: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))
    documents: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))
    reports: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))
    suggestions: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))
    prompts: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))
    thumbnails: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(_THUMBNAIL_THREADS)
    )
    thumbnails_of: TenantLimiters = field(
        default_factory=lambda: TenantLimiters(_THUMBNAIL_THREADS)
    )
    event_streams: TenantLimiters = field(default_factory=lambda: TenantLimiters(_EVENT_STREAMS))

    @classmethod
    def of(cls, request: Request) -> Limiters:
        """Those of the application that serves a request."""
        limiters: Limiters = request.app.state.limiters
        return limiters
