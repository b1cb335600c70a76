"""Reading bytes of images, wherever their rows say that they are."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Lock

from sqlalchemy import Engine, select

from service.problems import ImageDamaged, StorageUnavailable
from service.storage.contents.kept_bytes import KeptBytes
from service.storage.contents.object_store import ObjectMissing, ObjectStore, is_whole
from service.storage.errors import StorageError
from service.storage.tables import ContentStoreRow

logger = logging.getLogger("handful.storage")

# Objects that are read or written at a time: what a bucket's latency is hidden by.
AT_A_TIME = 16

OpenStore = Callable[[str], ObjectStore]
"""Opens the store at a location; raises ``StorageError`` where it cannot."""


def _no_store(location: str) -> ObjectStore:
    raise StorageError(f"{location} cannot be opened here")


class Contents:
    """Bytes of images of one database. Methods block, and may be called from many threads.

    Args:
        engine: Of the database.
        open_store: Opens stores that rows name, when the first of their images is asked for.
    """

    def __init__(self, engine: Engine, open_store: OpenStore = _no_store) -> None:
        self._engine = engine
        self._open_store = open_store
        self._stores: dict[int, ObjectStore] = {}
        self._lock = Lock()
        self._threads: ThreadPoolExecutor | None = None

    def read(self, held: KeptBytes) -> bytes:
        """The bytes of an image, compared with their digest where they are outside the database.

        Raises:
            ImageDamaged: They are not there, or are others.
            StorageUnavailable: Their store cannot be used now.
        """
        if held.store_id is None or held.key is None:
            return held.content
        store = self.store(held.store_id)
        try:
            content = store.get(held.key)
        except ObjectMissing as error:
            logger.error("image-damaged: there is no %s in %s", held.key, store.location)
            raise ImageDamaged("are gone") from error
        if not is_whole(held.key, content):
            logger.error("image-damaged: %s in %s has other bytes", held.key, store.location)
            raise ImageDamaged("are damaged")
        return content

    def read_all(self, held: Iterable[KeptBytes]) -> Iterator[bytes | ImageDamaged]:
        """Bytes of many images in their order, some of them read ahead.

        Args:
            held: Where they are; taken as far as is read ahead.

        Yields:
            Bytes, or the problem of those that are damaged.

        Raises:
            StorageUnavailable: A store cannot be used now.
        """
        ahead: deque[Future[bytes] | bytes] = deque()
        asked = iter(held)
        try:
            while True:
                ahead.extend(map(self._begun, islice(asked, AT_A_TIME - len(ahead))))
                if not ahead:
                    return
                first = ahead.popleft()
                try:
                    content = first.result() if isinstance(first, Future) else first
                except ImageDamaged as problem:
                    yield problem
                else:
                    yield content
        finally:
            for left in ahead:
                if isinstance(left, Future):
                    left.cancel()

    def store(self, store_id: int) -> ObjectStore:
        """A store by its row, opened.

        Raises:
            StorageUnavailable: It cannot be.
        """
        with self._lock:
            if (store := self._stores.get(store_id)) is not None:
                return store
            with self._engine.connect() as connection:
                location = connection.scalar(
                    select(ContentStoreRow.location).where(ContentStoreRow.id == store_id)
                )
            try:
                store = self._open_store(location or "")
            except StorageError as error:
                logger.warning("storage-unavailable: %s", error)
                raise StorageUnavailable(
                    "Images of this database are in a store that this service cannot open. Its log "
                    "says which."
                ) from error
            self._stores[store_id] = store
            return store

    def close(self) -> None:
        """End threads that read ahead."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _begun(self, held: KeptBytes) -> Future[bytes] | bytes:
        if held.store_id is None:
            return held.content
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="contents")
        return self._threads.submit(self.read, held)
