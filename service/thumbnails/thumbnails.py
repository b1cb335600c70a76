"""Thumbnails of support images and of remembered queries: found, else made once and kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import Lock

from sqlalchemy import Engine, make_url

from service.problems import (
    ClassifierNotFound,
    ImageNotFound,
    ImageNotStored,
    RememberedNotFound,
)
from service.settings import Settings
from service.storage.inbox import Inboxes
from service.storage.picture_lookup import (
    StoredPicture,
    remembered_picture,
    stored_pictures,
    support_picture,
)
from service.storage.store import Store
from service.tenancy import bare
from service.thumbnails.drawing import SIDE, drawn, sealed, unsealed
from service.thumbnails.files import ThumbnailFiles

# Where queries wait, a thumbnail rests for so many times what the last one took, but not for longer
# than this; then it lets them pass, looking for them so often.
_RESTS = 3
_PATIENCE = 0.2
_LOOK = 0.005


@dataclass(frozen=True, slots=True)
class Found:
    """An image whose thumbnail is asked for.

    Attributes:
        content_key: Its qualified SHA-256.
        read: Reads its bytes; None: they are gone.
        thumbnail: The one that is kept; None: it is to be made.
    """

    content_key: str
    read: Callable[[], bytes | None]
    thumbnail: bytes | None

    @property
    def tag(self) -> str:
        """The entity tag: other bytes, or thumbnails made in another way, have another."""
        return f'"{bare(self.content_key)}.{SIDE}"'


class Thumbnails:
    """Thumbnails of one database. Methods block, and raise as those of a store do.

    One at a time is decoded, after queries that wait, and while these keep coming in a quarter of
    the time: thumbnails take a quarter of a core then from whoever wants an answer.

    Args:
        engine: Of the database.
        store: Of its classifiers.
        inboxes: Of their remembered queries.
        settings: Where the cache is, and how large an image may be.
        queries_wait: Whether queries wait for the processors that thumbnails are made on.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        inboxes: Inboxes,
        settings: Settings,
        queries_wait: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._store, self._inboxes = store, inboxes
        self._max_pixels = settings.max_image_pixels
        self._queries_wait = queries_wait
        url = make_url(settings.sqlalchemy_url).render_as_string(hide_password=True)
        self._files = ThumbnailFiles(
            settings.cache_dir / "thumbnails", hashlib.sha256(url.encode()).hexdigest()[:16]
        )
        self._making = Lock()
        self._rest = 0.0

    def of_support(self, name: str, image_id: str) -> Found:
        """That of a support image.

        Raises:
            ClassifierNotFound, ImageNotFound: There is none.
            ImageNotStored: Its bytes were not kept.
        """
        picture = support_picture(self._engine, name, image_id)
        if picture is None:
            self._check_classifier(name)
            raise ImageNotFound(
                f"Classifier {bare(name)!r} has no support image {image_id!r}. "
                f"GET /v1/classifiers/{bare(name)}/classes/LABEL lists those of a class."
            )
        return self._found(
            picture,
            partial(self._store.content, picture.row),
            "The image supports its class, but the service was told not to keep images "
            "(HANDFUL_STORE_IMAGES=false) when it came, or its embeddings alone were sent.",
        )

    def of_remembered(self, name: str, item_id: str) -> Found:
        """That of a remembered query.

        Raises:
            ClassifierNotFound, RememberedNotFound: There is none.
            ImageNotStored: Its bytes were not kept.
        """
        picture = remembered_picture(self._engine, name, item_id)
        if picture is None:
            self._check_classifier(name)
            raise RememberedNotFound(name, item_id)
        return self._found(
            picture,
            partial(self._inboxes.content, picture.row),
            "The query is remembered, but the service was told not to keep images "
            "(HANDFUL_STORE_IMAGES=false) when it came.",
        )

    def made(self, found: Found) -> bytes:
        """Make the thumbnail of an image, unless somebody else has just done so.

        Raises:
            ImageNotStored: The image was deleted meanwhile.
            ImageDamaged: It cannot be read.
        """
        content = found.read()
        if content is None:
            raise ImageNotStored("The image was deleted while its thumbnail was made.")
        with self._making:
            if (kept := self._kept(found.content_key)) is not None:
                return kept
            self._let_queries_pass()
            begun = time.monotonic()
            thumbnail = drawn(content, self._max_pixels)
            self._rest = min(_PATIENCE, _RESTS * (time.monotonic() - begun))
            self._files.put(found.content_key, sealed(thumbnail))
            return thumbnail

    def sweep(self) -> None:
        """Remove those of images that the database does not have, and what is kept too long."""
        self._files.sweep(partial(stored_pictures, self._engine))

    def _found(
        self, picture: StoredPicture, read: Callable[[], bytes | None], not_kept: str
    ) -> Found:
        if not picture.is_kept:
            raise ImageNotStored(not_kept)
        return Found(picture.content_key, read, self._kept(picture.content_key))

    def _kept(self, content_key: str) -> bytes | None:
        kept = self._files.get(content_key)
        # Files are not flushed, and browsers would keep a damaged one for a year.
        return None if kept is None else unsealed(kept)

    def _check_classifier(self, name: str) -> None:
        if self._store.find(name) is None:
            raise ClassifierNotFound(name)

    def _let_queries_pass(self) -> None:
        if not self._queries_wait():
            return
        time.sleep(self._rest)
        end = time.monotonic() + _PATIENCE
        while self._queries_wait() and time.monotonic() < end:
            time.sleep(_LOOK)
