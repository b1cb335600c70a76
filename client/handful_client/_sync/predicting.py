"""Predictions and suggestions for images in any number."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, overload

from handful_client._sync.concurrency import in_order, in_thread
from handful_client._sync.named import Named
from handful_client._sync.reading import batches, gathered, unlabelled
from handful_client.batches import (
    Batch,
    Item,
    RefusedImage,
    halves,
    refused,
    to_send,
    upload,
)
from handful_client.calls import Call, Query
from handful_client.errors import Problem, TooLarge, UnreadableAnswer
from handful_client.images import ImageFile, ImageLike, Images, class_folders, read_image
from handful_client.models import PredictionOut, PredictionsOut, SuggestionsOut

# Images of a request: so many that the encoder is busy, so few that answers keep coming.
_BATCH = 32


class Predicting(Named):
    """What a classifier says of images."""

    def predict(
        self, image: ImageLike, *, top_k: int = 5, evidence: int = 3, within: float | None = None
    ) -> PredictionOut:
        """What an image is.

        Args:
            image: The path of a file, the bytes of one, an open one, an image of Pillow, an array
                of NumPy; or one that is known to the service, by its id or its embeddings.
            top_k: Candidates.
            evidence: Support images that are named.
            within: Seconds that the image may wait to be embedded, if fewer than the service's.
        """
        return (self.predictions(image, top_k=top_k, evidence=evidence, within=within)).predictions[
            0
        ]

    def predictions(
        self, image: ImageLike, *, top_k: int = 5, evidence: int = 3, within: float | None = None
    ) -> PredictionsOut:
        """As ``predict``, with what the answer says beside it: the ``shift`` of recent queries."""
        read = in_thread(read_image, image)
        path, query = self._path("predict"), {"top_k": top_k, "evidence": evidence}
        if isinstance(read, ImageFile):
            call = Call("POST", path, query, content=read.content, reads=True)
        else:
            call = upload(path, query, [Item(0, read)])
        if within is not None:
            call = replace(call, headers={"request-timeout": f"{within:f}"})
        return self._transport.model(PredictionsOut, call)

    @overload
    def predict_many(
        self,
        images: Images,
        *,
        top_k: int = 5,
        evidence: int = 3,
        on_refusal: Literal["raise"] = "raise",
        batch: int = _BATCH,
        at_once: int = 4,
    ) -> Iterator[PredictionOut]: ...

    @overload
    def predict_many(
        self,
        images: Images,
        *,
        top_k: int = 5,
        evidence: int = 3,
        on_refusal: Literal["yield"],
        batch: int = _BATCH,
        at_once: int = 4,
    ) -> Iterator[PredictionOut | RefusedImage]: ...

    def predict_many(
        self,
        images: Images,
        *,
        top_k: int = 5,
        evidence: int = 3,
        on_refusal: Literal["raise", "yield"] = "raise",
        batch: int = _BATCH,
        at_once: int = 4,
    ) -> Iterator[PredictionOut | RefusedImage]:
        """What many images are: predictions in the order of the images, as they come.

        Args:
            images: As for ``register``.
            top_k: Candidates for each.
            evidence: Support images named for each.
            on_refusal: What becomes of an image that cannot be read: ``raise``, which ends it, or
                ``yield`` a :class:`RefusedImage` in its place.
            batch: Images of a request at most.
            at_once: Requests on their way at a time. Memory holds the images of so many.
        """
        query: Query = {"top_k": top_k, "evidence": evidence}
        keep = on_refusal == "yield"

        def ask(part: Batch) -> list[PredictionOut | RefusedImage]:
            answers: dict[int, PredictionOut | RefusedImage] = {
                one.position: one for one in part if isinstance(one, RefusedImage)
            }
            self._predict(to_send(part), query, keep, answers)
            return [answers[one.position] for one in part]

        asked = batches(unlabelled(images), batch, keep)
        for answers in in_order(ask, asked, at_once):
            for answer in answers:
                yield answer

    def suggest(self, pool: Images, *, n: int = 5) -> SuggestionsOut:
        """Which images of a pool to label or register next, best first.

        The pool is one request, within the service's limits (2000 images by default).

        Args:
            pool: Images without labels, as for ``register``.
            n: How many to suggest.
        """
        items = gathered(unlabelled(pool))
        query: Query = {"n": n, "folders": False}
        call = upload(self._path("suggest"), query, items)
        return self._transport.model(SuggestionsOut, call)

    def suggest_folder(self, folder: str | os.PathLike[str], *, n: int = 5) -> SuggestionsOut:
        """As ``suggest``, of a folder of ``LABEL/IMAGE`` files: ``n`` images of each class."""
        labelled = in_thread(class_folders, folder)
        items = gathered(labelled)
        query: Query = {"n": n, "folders": True}
        call = upload(self._path("suggest"), query, items, labelled=True)
        return self._transport.model(SuggestionsOut, call)

    def _predict(
        self,
        items: Sequence[Item],
        query: Query,
        keep: bool,
        answers: dict[int, PredictionOut | RefusedImage],
    ) -> None:
        """Ask about images; ``keep`` those that are refused among the answers, by position."""
        if not items:
            return
        call = upload(self._path("predict"), query, items)
        try:
            told = (self._transport.model(PredictionsOut, call)).predictions
        except Problem as problem:
            if keep and (faults := refused(problem, items)):
                answers |= {one.position: one for one in faults}
                rest = [item for item in items if item.position not in answers]
                self._predict(rest, query, keep, answers)
            elif isinstance(problem, TooLarge):
                for half in halves(items, problem):
                    self._predict(half, query, keep, answers)
            else:
                raise
            return
        if len(told) != len(items):
            raise UnreadableAnswer(f"{len(told)} predictions came of {len(items)} images")
        answers |= {item.position: one for item, one in zip(items, told, strict=True)}
