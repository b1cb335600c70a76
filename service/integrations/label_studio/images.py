"""Images of tasks: fetched from the one Label Studio that is configured, or where one may."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urljoin, urlsplit

import anyio.to_thread

from service.api.json_route import count_marks
from service.fetching import Fetcher, FetchError
from service.fetching.guarded import Asking, GuardedFetcher
from service.fetching.sources import PORTS, Source
from service.integrations.label_studio.credentials import Credentials
from service.integrations.label_studio.places import Content, Elsewhere, place_of
from service.settings import Settings

Took = Callable[[int], None]
_ANYTHING = "*/*"
_JSON = "application/json"
# Commas, colons and brackets of an answer: half a second that no other thread has.
_MOST_MARKS = 1_000_000
# Characters of a data URI for each byte of its image, at most, and before them.
_ENCODED, _HEAD = 3, 1000


class LabelStudio:
    """The Label Studio of the settings: the only one that is asked, and that gets the token.

    It may be at any address, as whoever sets the service up has said which. All else is guarded as
    images by URL are: one request, no redirect, limits of bytes, of time and of threads.

    Args:
        settings: All of them.
        elsewhere: Fetches from other hosts, without the token; None: none may be asked.
    """

    def __init__(self, settings: Settings, elsewhere: Fetcher | None) -> None:
        self.url = settings.label_studio_url
        self._seconds = settings.fetch_seconds
        self._most = settings.max_image_bytes
        self._elsewhere = elsewhere
        self._credentials = Credentials(
            settings.label_studio_token.get_secret_value(), self._refreshed
        )
        parts = urlsplit(self.url)
        sources = []
        if parts.hostname:
            sources.append(Source(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme]))
        self._guarded = GuardedFetcher(sources, self._most, may_connect=bool)

    async def image(self, address: str, task: int | None, took: Took) -> bytes:
        """The bytes of the image of a task.

        Args:
            address: As the data of the task have it.
            task: Its id.
            took: Told of bytes as they come, in any thread; may raise.

        Raises:
            FetchError: It cannot be had; the message is a phrase that follows what is called so,
                and names the setting that would mend it.
        """
        if len(address) > _ENCODED * self._most + _HEAD:
            raise self._too_large()
        place = await anyio.to_thread.run_sync(place_of, address, task, self.url)
        if isinstance(place, Content):
            if len(place.content) > self._most:
                raise self._too_large()
            took(len(place.content))
            return place.content
        if isinstance(place, Elsewhere):
            return await self._from_elsewhere(place.url, took)
        try:
            return await self._asked(place.url, took, _ANYTHING)
        except FetchError as error:
            if not error.location:
                raise
            to = urljoin(place.url, error.location)
            if to.startswith(f"{self.url}/"):  # to its log-in
                raise self._told(FetchError(str(error), status=401)) from error
            return await self._from_elsewhere(to, took)  # a storage, which gets no token

    async def document(self, path: str) -> Any:
        """What its API answers.

        Args:
            path: Of the resource, below the address of Label Studio.

        Raises:
            FetchError: It answers otherwise, or with no JSON.
        """
        if not self.url:
            raise FetchError(
                "cannot be asked: the service was not told where it is (HANDFUL_LABEL_STUDIO_URL)"
            )
        answer = await self._asked(self.url + path, _nothing, _JSON)
        return await anyio.to_thread.run_sync(_read, answer)

    async def _asked(self, url: str, took: Took, accept: str) -> bytes:
        fetch = partial(self._guarded.fetch, url, self._seconds, took)
        for last in (False, True):
            try:
                fields = await self._credentials.fields()
                return await fetch(Asking(accept=accept, fields=fields))
            except ValueError as error:
                raise FetchError(
                    "cannot be fetched: Label Studio gives no access for the token"
                    " (HANDFUL_LABEL_STUDIO_TOKEN)",
                    status=401,
                ) from error
            except FetchError as error:
                if error.status == 401 and not last and self._credentials.forget():
                    continue
                raise self._told(error) from error
        raise AssertionError("the last try returns or raises")

    async def _refreshed(self, token: str) -> Any:
        asking = Asking(
            "POST", _JSON, (("content-type", _JSON),), json.dumps({"refresh": token}).encode()
        )
        url = f"{self.url}/api/token/refresh/"
        answer = await self._guarded.fetch(url, self._seconds, _nothing, asking)
        return await anyio.to_thread.run_sync(_read, answer)

    async def _from_elsewhere(self, url: str, took: Took) -> bytes:
        if self._elsewhere is None:
            raise FetchError(
                f"is at {urlsplit(url).hostname}, and this service fetches from no other hosts than"
                " Label Studio's (HANDFUL_FETCH_FROM)",
                status=403,
            )
        return await self._elsewhere.fetch(url, self._seconds, took)

    def _too_large(self) -> FetchError:
        return FetchError(f"has more than {self._most} bytes (HANDFUL_MAX_IMAGE_BYTES)", status=413)

    def _told(self, error: FetchError) -> FetchError:
        """The error, with the setting that would mend it."""
        why = str(error)
        if error.status in (401, 403):
            why += (
                f": Label Studio at {self.url} does not let HANDFUL_LABEL_STUDIO_TOKEN see it. Give"
                " a token of somebody who is in the project; legacy ones may be switched off there"
            )
        elif error.status == 404:
            why += f": Label Studio at {self.url} does not have it (HANDFUL_LABEL_STUDIO_URL)"
        elif error.status is None:
            why += f" ({self.url}, HANDFUL_LABEL_STUDIO_URL)"
        return FetchError(why, status=error.status, location=error.location)


def _read(answer: bytes) -> Any:
    if count_marks(answer) > _MOST_MARKS:
        raise FetchError("is answered with more JSON than is read at a time", status=502)
    try:
        return json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise FetchError("is answered with no JSON") from error


def _nothing(_: int) -> None:
    pass
