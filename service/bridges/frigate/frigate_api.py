"""Frigate's HTTP API, as far as the bridge asks it, whatever it is that answers there.

Written from ``frigate/api/media.py`` and ``frigate/api/event.py``. Answers are read up to a bound
and within a time, redirects are not followed, and no coding is unpacked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ValidationError
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from service.bridges.frigate.tracked_objects import SubLabel

Model = TypeVar("Model", bound=BaseModel)
_Answered = tuple[bytes, httpx2.Headers]

_SECONDS = 10.0
_MOST_PICTURE = 16 * 2**20
_MOST_JSON = 8 * 2**20
# What Frigate's body takes.
_MOST_SUB_LABEL = 100
_LEAST_SCORE = 0.0001


class FrigateError(Exception):
    """Frigate does not answer as its API describes."""


class Passing(FrigateError):
    """It cannot answer now."""


class NotThere(FrigateError):
    """It has no such event, or no picture of it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A picture of an object.

    Attributes:
        content: JPEG.
        taken: When, in seconds, by which it is known again; None where that is not said.
    """

    content: bytes
    taken: float | None


class EventDetails(BaseModel):
    """What Frigate keeps of an event."""

    camera: str
    sub_label: SubLabel = None


class _Configuration(BaseModel):
    cameras: Mapping[str, Any]


class Frigate:
    """Frigate by its URL.

    Args:
        url: Of its HTTP API, without a slash at its end.
        http: Sends the requests; redirects are not followed whatever it says.
        seconds: Of one answer.
    """

    def __init__(self, url: str, http: httpx2.AsyncClient, seconds: float = _SECONDS) -> None:
        self._url = url
        self._http = http
        self._seconds = seconds
        self._retrying = AsyncRetrying(
            stop=stop_after_attempt(3),
            wait=wait_exponential_jitter(initial=0.5, max=4),
            retry=retry_if_exception_type(Passing),
            reraise=True,
        )

    async def cameras(self) -> list[str]:
        """Names of the cameras in its configuration.

        Raises:
            FrigateError: It does not say.
        """
        content, _ = await self._answered("GET", "/api/config", _MOST_JSON)
        return list(_read(_Configuration, content).cameras)

    async def snapshot(self, event: str, *, patient: bool = False) -> Snapshot:
        """The best picture of an object, cut out, without boxes and times drawn into it.

        Args:
            event: Its id.
            patient: Whether to ask again where there is none: of an object that has just ended
                Frigate has none for a moment, until it is written.

        Raises:
            NotThere: There is none.
            FrigateError: It does not answer.
        """
        path = f"/api/events/{quote(event, safe='')}/snapshot.jpg"
        asked = {"crop": 1, "quality": 95, "bbox": 0, "timestamp": 0}
        again = (Passing, NotThere) if patient else Passing
        retrying = self._retrying.copy(retry=retry_if_exception_type(again))
        answer: _Answered = await retrying(self._answered, "GET", path, _MOST_PICTURE, asked)
        content, headers = answer
        try:
            taken = float(headers.get("x-frame-time", ""))
        except ValueError:
            taken = None
        return Snapshot(content, taken)

    async def event(self, event: str) -> EventDetails | None:
        """What is kept of an event; None: nothing yet.

        Raises:
            FrigateError: It does not answer.
        """
        path = f"/api/events/{quote(event, safe='')}"
        try:
            answer: _Answered = await self._retrying(self._answered, "GET", path, _MOST_JSON)
        except NotThere:
            return None
        return _read(EventDetails, answer[0])

    async def set_sub_label(self, event: str, sub_label: str, score: float) -> None:
        """Give an object a sub label; doing it twice is doing it once.

        Args:
            event: Its id.
            sub_label: As :func:`fitting` makes it.
            score: Between 0 and 1.

        Raises:
            NotThere: There is no such event.
            FrigateError: It does not take it.
        """
        path = f"/api/events/{quote(event, safe='')}/sub_label"
        shown = min(max(round(score, 4), _LEAST_SCORE), 1.0)
        body = {"subLabel": sub_label, "subLabelScore": shown}
        await self._retrying(self._answered, "POST", path, _MOST_JSON, None, body)

    async def _answered(
        self,
        method: str,
        path: str,
        most: int,
        query: Mapping[str, int] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> _Answered:
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._http.stream(
                    method,
                    self._url + path,
                    params=query,
                    json=body,
                    headers={"accept-encoding": "identity"},
                    follow_redirects=False,
                ) as response,
            ):
                _check(method, path, response)
                content = bytearray()
                async for piece in response.aiter_raw():
                    content += piece
                    if len(content) > most:
                        raise FrigateError(f"{path} has more than {most} bytes")
                return bytes(content), response.headers
        except TimeoutError:
            raise Passing(f"{path} is not answered within {self._seconds:g} s") from None
        except httpx2.HTTPError as error:
            raise Passing(f"{path}: {error or type(error).__name__}") from error


def fitting(label: str) -> str:
    """A class as a sub label, which has at most 100 characters."""
    return label[:_MOST_SUB_LABEL]


def _check(method: str, path: str, response: httpx2.Response) -> None:
    """Raises what an answer is that is none, before its body is read."""
    status = response.status_code
    if status == 404:
        raise NotThere(f"{path} is not there")
    if response.is_redirect:
        raise FrigateError(f"{path} leads elsewhere ({status}), where nobody is asked")
    if status >= 500 or status == 429:
        raise Passing(f"{method} {path}: status {status}")
    if not response.is_success:
        hint = "; use its internal port, 5000" if status in {401, 403} else ""
        raise FrigateError(f"{method} {path}: status {status}{hint}")
    if (coding := response.headers.get("content-encoding", "identity")) != "identity":
        raise FrigateError(f"{path} is coded as {coding[:20]!r}, which was not asked for")


def _read(model: type[Model], content: bytes) -> Model:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise FrigateError(f"its answer is not as described: {first['msg']}") from None
