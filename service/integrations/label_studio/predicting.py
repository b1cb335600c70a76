"""Pre-annotation: the tasks of a request, some of them fetched while others are embedded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from fastapi import Request

from service.api.deadlines import deadline_or_disconnect
from service.api.middleware.bytes_in_flight import Account, account_of
from service.api.predicting import answered
from service.composition import ServiceParts
from service.encoding.image_embedder import until_done
from service.encoding.invalid_images import IMAGE_ERRORS
from service.fetching import FetchError
from service.images.uploaded import UploadedImage
from service.integrations.label_studio.events import is_id
from service.integrations.label_studio.images import LabelStudio
from service.integrations.label_studio.labelling_config import Control
from service.integrations.label_studio.places import file_name
from service.problems import DeadlineExceeded, NoClasses, Overloaded
from service.registry.predictions import Prediction

logger = logging.getLogger("handful")

# Label Studio waits for 100 s, and takes nothing of an answer that comes later.
_SECONDS = 90.0
# Tasks whose images are embedded together, and how many of these are worked on at a time.
_TOGETHER, _AT_ONCE = 32, 3
_LOGGED = 5

#: In the place of a prediction: none is written down, so that Label Studio asks again.
_NONE: list[Any] = []


class Predictions:
    """The predictions of a request, as far as there are some.

    Args:
        request: Whose client waits.
        parts: What answers.
        name: The classifier's.
        control: What people are asked for.
        label_studio: Where images are.
        version: That predictions are told to be of.
    """

    def __init__(
        self,
        request: Request,
        parts: ServiceParts,
        name: str,
        control: Control,
        label_studio: LabelStudio,
        version: str,
    ) -> None:
        self._request = request
        self._parts = parts
        self._name = name
        self._control = control
        self._label_studio = label_studio
        self._version = version
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._why: list[str] = []

    async def of(self, tasks: Sequence[Any]) -> list[Any]:
        """A prediction of each task, or an empty list in its place.

        Those that cannot be had in time, or at all, are told in the log and not in the answer: one
        that is not as Label Studio expects it would cost all of the others.

        Raises:
            ClientDisconnect: Nobody waits any more.
        """
        found: list[Any] = [_NONE] * len(tasks)
        most = self._parts.settings.max_images_per_request
        starts = range(0, min(len(tasks), most), _TOGETHER)

        async def some(start: int) -> None:
            async with self._room:
                end = min(start + _TOGETHER, most)
                for place, one in await self._some(tasks[start:end]):
                    found[start + place] = one

        every = asyncio.gather(*map(some, starts))
        try:
            await deadline_or_disconnect(self._request, _SECONDS)(every)
            every.result()
        except DeadlineExceeded:
            self._why.append(f"There was no answer within {_SECONDS:g} s.")
        except NoClasses as nothing:
            self._why.append(nothing.detail or nothing.title)
        finally:
            every.cancel()
            await asyncio.gather(every, return_exceptions=True)
        if len(tasks) > most:
            self._why.append(f"More than {most} are not answered (HANDFUL_MAX_IMAGES_PER_REQUEST).")
        self._log(sum(one is _NONE for one in found))
        return found

    async def _some(self, tasks: Sequence[Any]) -> list[tuple[int, dict[str, Any]]]:
        held = _Held(account_of(self._request))
        try:
            contents = await asyncio.gather(*(self._image(one, held) for one in tasks))
            there = [(place, image) for place, image in enumerate(contents) if image is not None]
            answers = await self._answers([image for _, image in there])
            return [
                (place, self._written(answer))
                for (place, _), answer in zip(there, answers, strict=True)
                if answer is not None
            ]
        finally:
            held.end()

    async def _image(self, task: Any, held: _Held) -> UploadedImage | None:
        if not isinstance(task, Mapping):
            return None
        address = self._control.image_of(task.get("data"))
        if address is None:
            self._why.append(f"Tasks have no {self._control.key!r} that says where the image is.")
            return None
        number = task["id"] if is_id(task.get("id")) else None
        try:
            content = await self._label_studio.image(address, number, held.take)
        except FetchError as error:
            self._why.append(f"The image of task {number} {error}.")
            return None
        except Overloaded as error:
            self._why.append(error.detail or error.title)
            return None
        return UploadedImage.of(file_name(address), content)

    async def _answers(self, images: list[UploadedImage]) -> list[Prediction | None]:
        """The answers; of each image alone where one of them is none."""
        if not images:
            return []

        async def read() -> list[UploadedImage]:
            return images

        try:
            answer = await answered(self._parts, self._name, read, 1, 0, until_done)
        except IMAGE_ERRORS as problem:
            if len(images) == 1:
                self._why.append(problem.detail or problem.title)
                return [None]
            return [(await self._answers([image]))[0] for image in images]
        except Overloaded as problem:
            self._why.append(problem.detail or problem.title)
            return [None] * len(images)
        return list(answer.predictions)

    def _written(self, prediction: Prediction) -> dict[str, Any]:
        """A prediction as Label Studio reads it; of an image that is unknown it chooses nothing."""
        best = prediction.top_k[0]
        labels = prediction.labels
        if labels is None:
            labels = [best.label] if prediction.known else []
        return {
            "result": self._control.chosen(labels),
            "score": best.probability,
            "model_version": self._version,
        }

    def _log(self, missing: int) -> None:
        if missing:
            shown = list(dict.fromkeys(self._why))
            logger.warning(
                "%d tasks of Label Studio have no prediction. %s%s",
                missing,
                " ".join(shown[:_LOGGED]),
                f" And {len(shown) - _LOGGED} more." if len(shown) > _LOGGED else "",
            )


class _Held:
    """What the images of some tasks take of the budget of bytes, until they are answered."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = Lock()
        self._bytes = 0
        self._over = False

    def take(self, more: int) -> None:
        with self._lock:
            if self._over:
                raise FetchError("is not wanted any more")
            self._account.take(more)
            self._bytes += more

    def end(self) -> None:
        with self._lock:
            self._over = True
            self._account.take(-self._bytes)
            self._bytes = 0
