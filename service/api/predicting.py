"""Predicting: from the images of a request to the JSON of the answer, whatever brought them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeVar

from pydantic_core import to_json

from adapters.embeddings import ImageEmbeddings
from adapters.shift import Shift
from service.api.large_json import FEW, large_json
from service.api.offloading import run_blocking
from service.api.recipes import embedded_for
from service.api.schemas.predictions import PredictionOut
from service.composition import ServiceParts
from service.encoding.image_embedder import Wait
from service.images.uploaded import UploadedImage
from service.presentation.shift import ShiftOut
from service.registry.live import LiveClassifier
from service.registry.predictions import Prediction, prediction_members
from service.registry.query_batching import MOST_ROWS, check_rows
from service.telemetry.request_trace import RequestTrace, current_trace
from service.tenancy import bare

# Query parameters of a request: their values where they are left out, and the most of them.
CANDIDATES, MOST_CANDIDATES = 5, 1000
EVIDENCE, MOST_EVIDENCE = 3, 100

First = TypeVar("First")
Second = TypeVar("Second")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a classifier says to the queries of a request.

    Attributes:
        predictions: The answers, in the order of the queries.
        shift: What the recent queries tell, with these among them.
    """

    predictions: list[Prediction]
    shift: Shift | None


async def answered(
    parts: ServiceParts,
    name: str,
    read: Callable[[], Awaitable[list[UploadedImage]]],
    top_k: int,
    evidence: int,
    wait: Wait,
) -> Answer:
    """Answer the queries of a request.

    Args:
        parts: What answers.
        name: The classifier's.
        read: Reads the images, one or more, once the name is known to be one.
        top_k: Candidates for each image.
        evidence: Support images named for each.
        wait: Waits for the embeddings; when it raises, what is not begun is not done.

    Raises:
        ClassifierNotFound, NoClasses: There is nothing to answer by.
        AnswerTooLarge: It would name too many candidates.
    """
    images: list[UploadedImage] = []

    async def received() -> None:
        images.extend(await read())
        if len(images) * (top_k + evidence) > MOST_ROWS:  # or fewer, if it has not as many
            asked = await run_blocking(parts.registry.live, name)
            check_rows(asked, len(images), top_k, evidence)

    tried: list[_AtOnce] = []

    async def embedded(live: LiveClassifier) -> ImageEmbeddings:
        tried.append(_AtOnce(live, top_k, evidence, current_trace()))
        return await parts.embedder.query(images, name, wait, live.fingerprint, tried[-1])

    async def received_and_embedded(fingerprint: str) -> ImageEmbeddings:
        await received()
        return await parts.embedder.query(images, name, wait, fingerprint)

    if parts.registry.in_memory(name) is not None:
        await received()
        live, queries = await embedded_for(parts, name, embedded)
    else:
        # Loading it takes a few milliseconds, which are not added to those of the encoder.
        usual = parts.registry.usual_fingerprint(name)
        if not parts.embedder.embeds(usual):
            usual = parts.store.fingerprint
        loading = run_blocking(parts.registry.live, name)
        live, queries = await both(loading, received_and_embedded(usual))
        if live.fingerprint != usual:  # it has prompts of its own, or the database moves
            live, queries = await embedded_for(parts, name, embedded)
    window = live.window
    predictions = tried[-1].predictions if tried else None
    if predictions is None:
        predictions = await parts.answering.predict(live, queries, top_k, evidence)
    if live.settings.remember != "none":
        parts.remembering.offer(live, images, queries, predictions)
    return Answer(predictions, window.seen(predictions))


async def predicted(
    parts: ServiceParts,
    name: str,
    read: Callable[[], Awaitable[list[UploadedImage]]],
    top_k: int,
    evidence: int,
    wait: Wait,
) -> bytes:
    """Answer the queries of a request, as :func:`answered`.

    Returns:
        The JSON of a ``PredictionsOut``.
    """
    return await written_answer(name, await answered(parts, name, read, top_k, evidence, wait))


async def written_answer(name: str, answer: Answer) -> bytes:
    """The JSON of a ``PredictionsOut``.

    Args:
        name: The classifier's.
        answer: Its.
    """
    shift = ShiftOut.of(answer.shift)
    if sum(map(_rows, answer.predictions)) > FEW:
        fields = {"classifier": bare(name), "shift": shift}
        make = PredictionOut.model_validate
        return bytes((await large_json(fields, "predictions", answer.predictions, make)).body)
    return predictions_json(name, shift, answer.predictions)


@dataclass(slots=True)
class _AtOnce:
    """The answer to a lone query, by the thread that has embedded it.

    Attributes:
        trace: Of the request; None: it is not traced.
        predictions: The answer; None as long as there is none.
    """

    live: LiveClassifier
    top_k: int
    evidence: int
    trace: RequestTrace | None = None
    predictions: list[Prediction] | None = None

    def __call__(self, queries: ImageEmbeddings) -> None:
        begun = perf_counter()
        self.predictions = self.live.predict(queries, self.top_k, self.evidence)
        if self.trace is not None:
            self.trace.add("classify", begun, perf_counter())


def predictions_json(name: str, shift: ShiftOut | None, predictions: list[Prediction]) -> bytes:
    """The JSON of a ``PredictionsOut``, written without making and checking one."""
    return to_json(
        {
            "classifier": bare(name),
            "shift": shift,
            "predictions": list(map(prediction_members, predictions)),
        },
        inf_nan_mode="null",
    )


def _rows(prediction: Prediction) -> int:
    return len(prediction.top_k) + len(prediction.evidence) + len(prediction.prediction_set or ())


async def both(
    first: Coroutine[Any, Any, First], second: Coroutine[Any, Any, Second]
) -> tuple[First, Second]:
    """Results of two coroutines that run side by side; neither outlives this.

    Errors come as if they ran one after the other: the first one's ends the second and is raised
    whatever became of that; the second one's is raised once the first has its result.
    """
    tasks = asyncio.ensure_future(first), asyncio.ensure_future(second)
    try:
        return await tasks[0], await tasks[1]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
