"""Queries of one classifier that come at the same time are answered together."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from adapters.embeddings import ImageEmbeddings
from service.problems import AnswerTooLarge
from service.registry.live import LiveClassifier
from service.registry.predictions import Prediction, too_many_labels
from service.telemetry.request_trace import traced_part

# More threads that compute would only wait for each other and for the interpreter's lock.
_THREADS = 2
# Most rows of an answer: candidates and evidence of all its images, or labels of their prediction
# sets. A row is 150 bytes of JSON and some microseconds: 15 MB, and less than a second.
MOST_ROWS = 100_000
# How often blocks are begun again because the classifier changed between two of them.
_ATTEMPTS = 3

_Group = list[tuple[ImageEmbeddings, "asyncio.Future[list[Prediction]]"]]


def check_rows(live: LiveClassifier, images: int, top_k: int, evidence: int) -> None:
    """See that an answer is not too large, before anything is done for it.

    Raises:
        AnswerTooLarge: It would be.
    """
    shown = min(evidence, len(live.support))
    each = min(top_k, len(live.classes)) + shown
    if images * each > MOST_ROWS:
        raise AnswerTooLarge(
            f"The answer would name {images * each} candidates and support images, for {images} "
            f"images; at most {MOST_ROWS} are accepted. Ask with top_k="
            f"{max(1, MOST_ROWS // images - shown)} or less, or send at most {MOST_ROWS // each} "
            "images in a request."
        )


class Answering:
    """Computes answers in threads, one computation for what a turn of the event loop brings.

    The images of a pass of the encoder are ready together, and a head answers eight queries in
    little more time than one. No query waits for others, and none depends on them. A request of
    very many is computed block by block, so that others have their turn between two blocks.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="answers")
        self._groups: dict[Hashable, _Group] = {}

    async def predict(
        self, live: LiveClassifier, queries: ImageEmbeddings, top_k: int, evidence: int
    ) -> list[Prediction]:
        """Answer n queries from one state of the classifier; arguments as its ``predict``.

        Raises:
            NoClasses: There is no class to choose from.
            AnswerTooLarge: Their prediction sets hold too many labels.
        """
        with traced_part("classify"):
            return await self._answered(live, queries, top_k, evidence)

    async def _answered(
        self, live: LiveClassifier, queries: ImageEmbeddings, top_k: int, evidence: int
    ) -> list[Prediction]:
        if len(queries) > min(live.block, max(1, MOST_ROWS // max(1, len(live.classes)))):
            return await self._in_blocks(live, queries, top_k, evidence)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Prediction]] = loop.create_future()
        asked = (live, top_k, evidence)
        if asked not in self._groups:
            self._groups[asked] = []
            loop.call_soon(self._begin, live, top_k, evidence)  # once all that is ready has asked
        self._groups[asked].append((queries, answer))
        return await answer

    def close(self) -> None:
        """Stop the threads once what they compute is done."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _in_blocks(
        self, live: LiveClassifier, queries: ImageEmbeddings, top_k: int, evidence: int
    ) -> list[Prediction]:
        run = partial(asyncio.get_running_loop().run_in_executor, self._threads)
        for _ in range(_ATTEMPTS):
            state, answers, labels = live.state, list[Prediction](), 0
            for start in range(0, len(queries), live.block):
                block = queries[start : start + live.block]
                answers += await run(live.predict, block, top_k, evidence)
                if live.state != state:
                    break
                labels += sum(len(one.prediction_set or ()) for one in answers[start:])
                if labels > MOST_ROWS:
                    raise too_many_labels(len(queries), MOST_ROWS)
            else:
                return answers
        # Somebody keeps changing the classifier: changes, and other queries of it, have to wait.
        return await run(live.predict, queries, top_k, evidence, MOST_ROWS)

    def _begin(self, live: LiveClassifier, top_k: int, evidence: int) -> None:
        group = self._groups.pop((live, top_k, evidence))
        queries = [queries for queries, _ in group]
        computed = asyncio.get_running_loop().run_in_executor(
            self._threads, _predict, live, queries, top_k, evidence
        )
        computed.add_done_callback(lambda done: _tell(group, done))


def _predict(
    live: LiveClassifier, queries: list[ImageEmbeddings], top_k: int, evidence: int
) -> list[Prediction]:
    return live.predict(ImageEmbeddings.concatenate(queries), top_k, evidence)


def _tell(group: _Group, computed: asyncio.Future[list[Prediction]]) -> None:
    error = None if computed.cancelled() else computed.exception()
    begin = 0
    for queries, answer in group:
        end = begin + len(queries)
        if answer.done():  # its client hung up
            pass
        elif computed.cancelled():
            answer.cancel()
        elif error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(computed.result()[begin:end])
        begin = end
