"""The work of a prediction job: a piece of its files → a line of results each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import anyio.to_thread
from fastapi_problem.error import StatusProblem
from pydantic_core import to_json

from adapters.embeddings import ImageEmbeddings
from service.encoding.recipes import RecipeEmbedders, RecipeGone
from service.images.uploaded import UploadedImage
from service.jobs.job_folder import JobFile, lines_of
from service.jobs.work import Piece, by_name, error_of, identified
from service.problems import AnswerTooLarge
from service.registry.live import LiveClassifier
from service.registry.predictions import Prediction, prediction_members
from service.registry.query_batching import Answering
from service.registry.registry import Registry
from service.storage.jobs import JobRecord, Jobs


class PredictionWork:
    """Asks a classifier about the files of a job, as a query would: by the state that it is in.

    Args:
        job: The job.
        registry: Of the classifiers.
        embedders: Embed, behind queries.
        answering: Computes answers.
        jobs: Where the classifier's name is read.
    """

    # Files of a piece: a few batches of the encoder, and a tenth of a second or two.
    files, ahead = 64, True

    def __init__(
        self,
        job: JobRecord,
        registry: Registry,
        embedders: RecipeEmbedders,
        answering: Answering,
        jobs: Jobs,
    ) -> None:
        self._jobs = jobs
        self._job = job
        self._registry = registry
        self._embedders = embedders
        self._answering = answering

    async def __call__(self, files: Sequence[JobFile], images: Sequence[UploadedImage]) -> Piece:
        """Answer a piece.

        Raises:
            StatusProblem: The classifier cannot answer.
        """
        return await by_name(self._jobs, self._job, lambda name: self._piece(name, files, images))

    async def _piece(
        self, name: str, files: Sequence[JobFile], images: Sequence[UploadedImage]
    ) -> Piece:
        while True:
            live = self._registry.in_memory(name)
            if live is None:
                live = await anyio.to_thread.run_sync(self._registry.live, name)
            identified(self._job, live.state)
            with suppress(RecipeGone):  # it has moved to another one
                rows = await self._embedders.of(live.fingerprint).ask_each(images, name)
                break
        queries = [one for one in rows if isinstance(one, ImageEmbeddings)]
        answers = iter(await self._answered(live, queries))
        found = [one if isinstance(one, StatusProblem) else next(answers) for one in rows]
        return await anyio.to_thread.run_sync(_piece, files, found)

    async def _answered(
        self, live: LiveClassifier, queries: Sequence[ImageEmbeddings]
    ) -> list[Prediction]:
        if not queries:
            return []
        asked = self._job.parameters["top_k"], self._job.parameters["evidence"]
        together = ImageEmbeddings.concatenate(queries)
        try:
            return await self._answering.predict(live, together, *asked)
        except AnswerTooLarge:  # prediction sets of thousands of labels: one image after the other
            alone = [await self._answering.predict(live, one, *asked) for one in queries]
            return [one for [one] in alone]


def _piece(files: Sequence[JobFile], found: Sequence[Prediction | StatusProblem]) -> Piece:
    errors: list[dict[str, Any]] = []
    lines = []
    for file, one in zip(files, found, strict=True):
        if isinstance(one, StatusProblem):
            errors.append(error_of(file, one))
            lines.append(to_json(errors[-1]))
        else:
            members = {"file": file.name, **prediction_members(one)}
            lines.append(to_json(members, inf_nan_mode="null"))
    return Piece(lines_of(lines), errors)
