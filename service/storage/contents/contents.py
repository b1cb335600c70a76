"""Bytes of images: read wherever their rows say that they are, and put where new ones go."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Lock
from typing import cast

from sqlalchemy import Engine, bindparam, select

from service.images.embedded import EmbeddedImage, Placed, SupportImage
from service.problems import ImageDamaged, StorageUnavailable
from service.storage.contents.claiming import claim, marker_of
from service.storage.contents.kept_bytes import KeptBytes
from service.storage.contents.object_store import ObjectMissing, ObjectStore, is_whole
from service.storage.contents.opening import open_store
from service.storage.contents.placing import placed
from service.storage.contents.sweeping import Sweeper
from service.storage.errors import StorageError
from service.storage.statements import chunks
from service.storage.tables import ContentRow, ContentStoreRow, ImageRow
from service.tenancy import qualified

logger = logging.getLogger("handful.storage")

# Objects that are read or written at a time: what a bucket's latency is hidden by.
AT_A_TIME = 16
# Bytes that are read ahead, beside one image.
_MOST_BYTES = 2**25

_KEPT = (
    select(ImageRow.content_key)
    .join(ContentRow, ContentRow.image_id == ImageRow.id)
    .where(ImageRow.content_key.in_(bindparam("some", expanding=True)))
)

OpenStore = Callable[[str], ObjectStore]
"""Opens the store at a location; raises ``StorageError`` where it cannot."""


def _no_store(location: str) -> ObjectStore:
    raise StorageError(f"{location} cannot be opened here")


class Contents:
    """Bytes of images of one database. Methods block, and may be called from many threads.

    Args:
        engine: Of the database.
        open_store: Opens stores that rows name, when the first of their images is asked for.

    Attributes:
        target: The row of the store that new bytes go to; None: they go to the database.
    """

    def __init__(self, engine: Engine, open_store: OpenStore = _no_store) -> None:
        self._engine = engine
        self._open_store = open_store
        self.target: int | None = None
        self._stores: dict[int, ObjectStore] = {}
        self._lock = Lock()
        self._threads: ThreadPoolExecutor | None = None

    @classmethod
    def opened(cls, engine: Engine, location: str | None, seconds: float) -> Contents:
        """Those of a database, of which new ones go to a store.

        Args:
            engine: Of the database.
            location: Of that store; None: they go to the database.
            seconds: Longest wait for one object.

        Raises:
            StorageError: It cannot be used.
        """
        contents = cls(engine, partial(open_store, seconds=seconds))
        if location is not None:
            store = open_store(location, seconds)
            contents.target = claim(engine, store)
            contents._stores[contents.target] = store
        return contents

    @contextmanager
    def placed(self, contents: Mapping[str, Callable[[], bytes]]) -> Iterator[dict[str, Placed]]:
        """Put bytes where new ones go, for the block to refer to; see :func:`placing.placed`.

        Args:
            contents: What gives them, by their qualified SHA-256.

        Yields:
            Their objects by the same; nothing where they go to the database.
        """
        if self.target is None or not contents:
            yield {}
            return
        store = self.store(self.target)
        threads = self._executor()
        with placed(self._engine, self.target, store, threads, AT_A_TIME, contents) as found:
            yield found

    @contextmanager
    def placed_images(
        self, tenant: str, images: Sequence[tuple[str, EmbeddedImage]]
    ) -> Iterator[list[SupportImage]]:
        """Put the bytes of a tenant's images, as far as the database has none of them.

        Yields:
            The same images; those whose bytes were put say so.
        """
        reads = {
            qualified(tenant, image.sha256): image.read
            for _, image in images
            if image.read is not None
        }
        if self.target is None or not reads:
            yield [SupportImage(*one) for one in images]
            return
        with self._engine.connect() as connection:
            for some in chunks(list(reads)):
                for known in connection.scalars(_KEPT, {"some": some}):
                    del reads[known]
        with self.placed(reads) as found:
            yield [
                SupportImage(
                    label, replace(image, placed=found.get(qualified(tenant, image.sha256)))
                )
                for label, image in images
            ]

    def sweeper(self, grace: timedelta) -> Sweeper:
        """Begin to delete what nothing refers to; see :class:`sweeping.Sweeper`."""
        return Sweeper(self._engine, self.store, grace)

    def read(self, held: KeptBytes) -> bytes:
        """The bytes of an image, compared with their digest.

        Raises:
            ImageDamaged: They are not there, or are others.
            StorageUnavailable: Their store cannot be used now.
        """
        if held.store_id is None or held.key is None:
            if held.digest not in (None, hashlib.sha256(held.content).hexdigest()):
                logger.error("image-damaged: the database has other bytes of %s", held.digest)
                raise ImageDamaged("are damaged")
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

    def read_all(self, held: Iterable[KeptBytes | None]) -> Iterator[bytes | ImageDamaged | None]:
        """Bytes of many images in their order, some of them read ahead.

        Args:
            held: Where they are, taken as far as is read ahead; None gives None.

        Yields:
            Bytes, or the problem of those that are damaged.

        Raises:
            StorageUnavailable: A store cannot be used now.
        """
        ahead: deque[tuple[Future[bytes] | bytes | ImageDamaged | None, int]] = deque()
        asked = iter(held)
        end = object()
        size = 0
        try:
            while True:
                # Of those in the database one at a time is in memory.
                while len(ahead) < AT_A_TIME and size <= _MOST_BYTES:
                    if ahead and isinstance(ahead[-1][0], bytes | ImageDamaged):
                        break
                    if (one := cast("KeptBytes | None", next(asked, end))) is end:
                        break
                    nbytes = 0 if one is None else one.nbytes
                    ahead.append((self._begun(one), nbytes))
                    size += nbytes
                if not ahead:
                    return
                first, nbytes = ahead.popleft()
                size -= nbytes
                try:
                    content = first.result() if isinstance(first, Future) else first
                except ImageDamaged as problem:
                    yield problem
                else:
                    yield content
        finally:
            for left, _ in ahead:
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
                row = connection.execute(
                    select(ContentStoreRow.location, ContentStoreRow.marker).where(
                        ContentStoreRow.id == store_id
                    )
                ).one()
            try:
                store = self._open_store(row.location)
                if marker_of(store) != row.marker:
                    raise StorageError(f"{row.location} is not the store that it was")
            except StorageError as error:
                logger.warning("storage-unavailable: %s", error)
                raise StorageUnavailable(
                    "Images of this database are in a store that this service cannot open. Its log "
                    "says which."
                ) from error
            self._stores[store_id] = store
            return store

    def close(self) -> None:
        """End the threads that read and write."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _begun(self, held: KeptBytes | None) -> Future[bytes] | bytes | ImageDamaged | None:
        if held is None:
            return None
        if held.store_id is not None:
            return self._executor().submit(self.read, held)
        try:
            return self.read(held)
        except ImageDamaged as problem:
            return problem

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="contents")
            return self._threads
