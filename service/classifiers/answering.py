"""Queries of one classifier that come at the same time are answered together."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from adapters.embeddings import ImageEmbeddings
from service.classifiers.live import LiveClassifier, Prediction

# More threads that compute would only wait for each other and for the interpreter's lock.
_THREADS = 2

_Asked = tuple[LiveClassifier, int, int]
_Group = list[tuple[ImageEmbeddings, "asyncio.Future[list[Prediction]]"]]


class Answering:
    """Computes answers in threads, one computation for what a turn of the event loop brings.

    The images of a pass of the encoder are ready together, and a head answers eight queries in
    little more time than one. No query waits for others, and none depends on them.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="answers")
        self._groups: dict[_Asked, _Group] = {}

    async def predict(
        self, live: LiveClassifier, queries: ImageEmbeddings, top_k: int, evidence: int
    ) -> list[Prediction]:
        """Answer n queries from one state of the classifier; arguments as its ``predict``.

        Raises:
            NoClasses: There is no class to choose from.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Prediction]] = loop.create_future()
        asked = (live, top_k, evidence)
        if asked not in self._groups:
            self._groups[asked] = []
            loop.call_soon(self._begin, asked)  # once all that is ready now has asked
        self._groups[asked].append((queries, answer))
        return await answer

    def close(self) -> None:
        """Stop the threads once what they compute is done."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _begin(self, asked: _Asked) -> None:
        group = self._groups.pop(asked)
        computed = asyncio.get_running_loop().run_in_executor(
            self._threads, _predict, asked, [queries for queries, _ in group]
        )
        computed.add_done_callback(lambda done: _tell(group, done))


def _predict(asked: _Asked, queries: list[ImageEmbeddings]) -> list[Prediction]:
    live, top_k, evidence = asked
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
