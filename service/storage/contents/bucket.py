"""An object store that is a bucket: S3 and what speaks like it, Google's, Azure's; by obstore."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import obstore
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import from_url

from service.problems import StorageUnavailable
from service.storage.contents.object_store import AGAIN, MARKER, ObjectMissing
from service.storage.errors import StorageError
from service.storage.patience import Patience

logger = logging.getLogger("handful.storage")

T = TypeVar("T")

# Seconds for one try, and nothing more, while it is known that the bucket does not answer.
_QUICK = 1.0
# Of an answer of the server, in the log.
_MOST_SHOWN = 400


class Bucket:
    """Objects in a bucket, under a prefix.

    Credentials, region and endpoint are those of the standard variables (``AWS_...``,
    ``GOOGLE_...``, ``AZURE_...``). What fails for a while (5xx, throttling, a lost connection) is
    tried again with exponential backoff and jitter, within the time that is given.

    Args:
        location: Its URL.
        seconds: Longest wait for one object.

    Raises:
        StorageError: The location or the variables are none that the library takes.
    """

    def __init__(self, location: str, seconds: float) -> None:
        self._location = location
        self._patience = Patience(seconds)
        half = timedelta(seconds=seconds / 2)
        try:
            # The last try begins within the first half.
            self._patient = _opened(location, half, {"retry_timeout": half, "max_retries": 8})
            quick = timedelta(seconds=min(_QUICK, seconds))
            self._quick = _opened(location, quick, {"retry_timeout": quick, "max_retries": 0})
        except (BaseError, ValueError, TypeError) as error:
            raise StorageError(f"{location} cannot be opened: {_shown(error)}") from error

    @property
    def location(self) -> str:
        """Its URL."""
        return self._location

    def put(self, key: str, content: bytes) -> None:
        """Write an object, in one request."""
        try:
            self._asked(lambda store: obstore.put(store, key, content, use_multipart=False))
        except ObjectMissing as error:  # nothing that is not there is asked for but the bucket
            raise StorageUnavailable(f"The bucket of images is not there. {AGAIN}") from error

    def get(self, key: str) -> bytes:
        """Read an object."""
        try:
            return self._asked(lambda store: bytes(obstore.get(store, key).bytes()))
        except ObjectMissing:
            if key == MARKER:
                raise
            self._check()
            raise

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, many by one request where the server takes that."""
        try:
            self._asked(lambda store: obstore.delete(store, list(keys)))
        except ObjectMissing:
            if len(keys) == 1:
                return
            for key in keys:
                self.delete([key])

    def all_keys(self) -> Iterator[str]:
        """Keys of all objects."""
        pages = self._asked(lambda store: iter(obstore.list(store)))
        while (page := self._asked(lambda _: next(pages, None))) is not None:
            yield from (one["path"] for one in page)

    def _check(self) -> None:
        """See that the bucket is there, of which an object is not.

        Raises:
            StorageUnavailable: It is not.
        """
        try:
            self._asked(lambda store: obstore.head(store, MARKER))
        except ObjectMissing as error:
            logger.warning("storage-unavailable: %s is gone, or has no marker", self._location)
            raise StorageUnavailable(f"The bucket of images is not there. {AGAIN}") from error

    def _asked(self, ask: Callable[[Any], T]) -> T:
        """What the bucket answers; its failures come as problems.

        Raises:
            ObjectMissing: There is no such object, or no such bucket.
            StorageUnavailable: It does not answer, or refuses.
        """
        try:
            answer = ask(self._quick if self._patience.lost else self._patient)
        except (NotFoundError, FileNotFoundError) as error:
            self._patience.regain()
            if "NoSuchBucket" in str(error):
                logger.warning("storage-unavailable: there is no bucket %s", self._location)
                raise StorageUnavailable(f"The bucket of images is not there. {AGAIN}") from error
            raise ObjectMissing from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            logger.warning("storage-unavailable: %s refuses: %s", self._location, _shown(error))
            raise StorageUnavailable(
                "The bucket of images refuses this service: look at its keys, and what they allow. "
                + AGAIN
            ) from error
        except BaseError as error:
            self._patience.lose()
            logger.warning("storage-unavailable: %s: %s", self._location, _shown(error))
            raise StorageUnavailable(
                f"The bucket of images does not answer as it should. {AGAIN}"
            ) from error
        self._patience.regain()
        return answer


def _opened(location: str, timeout: timedelta, retries: dict[str, Any]) -> Any:
    plain = any(
        os.environ.get(name, "").startswith("http://")
        for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    )
    options: dict[str, Any] = {"timeout": timeout, "connect_timeout": timeout}
    if plain:  # who names such an endpoint wants it
        options["allow_http"] = True
    return from_url(location, client_options=options, retry_config=retries)  # type: ignore[call-overload]


def _shown(error: BaseException) -> str:
    return " ".join(str(error).partition("Debug source")[0].split())[:_MOST_SHOWN]
