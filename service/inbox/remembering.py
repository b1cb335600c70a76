"""Remembering: queries go to the inbox in a thread, once they are answered, or are dropped."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from threading import Condition, Thread
from typing import NamedTuple

from fastapi_problem.error import StatusProblem
from prometheus_client import Counter

from adapters.embeddings import ImageEmbeddings
from service.classifier_settings import ClassifierSettings
from service.images.formats import sniff_format
from service.images.uploaded import UploadedImage
from service.inbox.worth import worth_remembering
from service.registry.live import LiveClassifier
from service.registry.predictions import Prediction
from service.storage.errors import Outdated
from service.storage.inbox import Inboxes, Query, Why
from service.storage.records import State

logger = logging.getLogger("handful")

QUERIES = Counter(
    "handful_remembered_queries_total",
    "Queries that were to be remembered: kept, there already, or dropped because too many waited,"
    " the tenant may own no more bytes, or the database could not be used.",
    ["outcome"],
)

# Queries and bytes of them that wait to be written; what comes then is dropped.
_MOST, _MOST_BYTES = 256, 64 * 2**20
# Queries of one transaction.
_TOGETHER = 32
# Candidates of an answer that are kept.
_CANDIDATES = 5
# Seconds that an end waits for what is left.
_END = 5.0


class _Waiting(NamedTuple):
    state: State
    settings: ClassifierSettings
    image: UploadedImage
    content: bytes
    row: ImageEmbeddings
    answer: Prediction
    why: Why
    at: datetime


class Remembering:
    """Writes queries to the inboxes, in one daemon thread that only remembered queries wake.

    Args:
        inboxes: Where they go.
        store_images: Whether the bytes of pictures are kept.
    """

    def __init__(self, inboxes: Inboxes, *, store_images: bool) -> None:
        self._inboxes = inboxes
        self._keep = store_images
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._wait = Condition()
        self._closed = False
        self._thread = Thread(target=self._run, name="remembering", daemon=True)
        self._thread.start()
        for outcome in ("kept", "known", "dropped"):
            QUERIES.labels(outcome)  # told from the start

    def offer(
        self,
        live: LiveClassifier,
        images: Sequence[UploadedImage],
        queries: ImageEmbeddings,
        answers: Sequence[Prediction],
    ) -> None:
        """Take queries that are answered; costs microseconds each, and blocks for nothing.

        Args:
            live: The classifier that has answered.
            images: What was asked about, in memory.
            queries: Their rows.
            answers: To each.
        """
        settings, state, now = live.settings, live.state, datetime.now(UTC)
        for i, (image, answer) in enumerate(zip(images, answers, strict=True)):
            if (why := worth_remembering(settings, answer)) is None:
                continue
            content = image.read()
            with self._wait:
                full = len(self._queue) >= _MOST or self._bytes + len(content) > _MOST_BYTES
                if full or self._closed:
                    QUERIES.labels("dropped").inc()
                    continue
                row = queries[i : i + 1]
                self._queue.append(_Waiting(state, settings, image, content, row, answer, why, now))
                self._bytes += len(content)
                self._wait.notify()

    def close(self) -> None:
        """End, once what waits is written, or after some seconds."""
        with self._wait:
            self._closed = True
            self._wait.notify()
        self._thread.join(_END)

    # The thread

    def _run(self) -> None:
        while True:
            with self._wait:
                while not (self._queue or self._closed):
                    self._wait.wait()
                if not self._queue:
                    return
                some = [self._queue.popleft() for _ in range(min(_TOGETHER, len(self._queue)))]
            some.sort(key=lambda one: one.state.id)
            for _, group in groupby(some, key=lambda one: one.state[:2]):
                self._write(list(group))
            with self._wait:
                self._bytes -= sum(len(one.content) for one in some)
            del some  # a thread that waits for the next must not hold on to the last

    def _write(self, group: list[_Waiting]) -> None:
        state, settings = group[-1].state, group[-1].settings
        try:
            new = self._inboxes.remember(
                state.id,
                state.created_at,
                [self._query(one) for one in group],
                settings.remember_most,
                settings.remember_days,
            )
            QUERIES.labels("kept").inc(new)
            QUERIES.labels("known").inc(len(group) - new)
        except (StatusProblem, Outdated) as error:
            QUERIES.labels("dropped").inc(len(group))
            logger.warning("%d queries are not remembered: %s", len(group), error)
        except Exception:
            QUERIES.labels("dropped").inc(len(group))
            logger.exception("queries cannot be remembered")

    def _query(self, one: _Waiting) -> Query:
        kind = sniff_format(one.content)
        best, answer = one.answer.top_k[0], one.answer
        return Query(
            public_id=uuid.uuid4().hex,
            asked_at=one.at,
            why=one.why,
            sha256=hashlib.sha256(one.content).hexdigest(),
            filename=one.image.filename.replace("\0", "").encode(errors="replace").decode(),
            media_type="application/octet-stream" if kind is None else kind.media_type,
            content=one.content if self._keep else None,
            fingerprint=one.state.fingerprint,
            embeddings=one.row,
            revision=one.state.revision,
            label=best.label,
            probability=best.probability,
            known=answer.known,
            p_value=answer.p_value,
            prediction_set=answer.prediction_set,
            labels=answer.labels,
            candidates=[
                {"label": each.label, "probability": each.probability}
                for each in answer.top_k[:_CANDIDATES]
            ],
        )
