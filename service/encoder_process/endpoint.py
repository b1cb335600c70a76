"""One encoder process as a process of the service sees it: its connections, kept up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from adapters.backbone_errors import BackboneError
from adapters.recipe import ChooseRecipe, Recipe
from service.encoder_process.connection import Connection, EncodingFailed
from service.encoder_process.description import Description
from service.encoder_process.pool import ConnectionPool

logger = logging.getLogger("handful")

# Seconds before an encoder process that was not there, or that refused, is asked again.
_PAUSE = 0.2
_PAUSE_REFUSED = 5.0


def reach(path: Path, recipe: Recipe | ChooseRecipe) -> Connection:
    """Connect to an encoder process, however long it takes to be there; notices its end.

    Raises:
        BackboneError, EncodingFailed: It cannot load the backbone; why.
    """
    while True:
        try:
            return Connection(path, recipe, "watch")
        except OSError:
            threading.Event().wait(_PAUSE)


class Endpoint:
    """Keeps connections to one encoder process, by a thread that notices its end.

    Args:
        path: Of its Unix socket.
        first: A connection that notices its end, if there is one.
        like: What it has to be: another backbone's embeddings must not meet these.
        slots: Pictures that a connection has room for.
        images: The pool for connections with slots.
        texts: The pool for one that texts go over.
        on_other: Called, with the reason, if it is another one after it was started again.

    Attributes:
        alive: Whether it can encode.
        settled: Set as soon as it could for the first time.
    """

    def __init__(
        self,
        path: Path,
        first: Connection | None,
        like: Description,
        slots: int,
        images: ConnectionPool,
        texts: ConnectionPool,
        on_other: Callable[[str], None],
    ) -> None:
        self._path = path
        self._like = like
        self._slots = slots
        self._images, self._texts = images, texts
        self._on_other = on_other
        self._watched = first
        self._closed = False
        self.alive = False
        self.settled = threading.Event()
        threading.Thread(target=self._keep, name="encoder", daemon=True).start()

    def close(self) -> None:
        """Let it go."""
        self._closed = True
        if (watched := self._watched) is not None:
            watched.close()

    def _keep(self) -> None:
        while not self._closed:
            try:
                self._until_its_end()
            except OSError:
                threading.Event().wait(_PAUSE)
            except (BackboneError, EncodingFailed) as error:
                logger.error("an encoder process cannot load the backbone: %s", error)
                threading.Event().wait(_PAUSE_REFUSED)

    def _until_its_end(self) -> None:
        recipe = self._like.recipe
        watched = self._watched = self._watched or reach(self._path, recipe)
        images: list[Connection] = []
        texts: list[Connection] = []
        try:
            if watched.description.fingerprint != self._like.fingerprint:
                self._closed = True
                self._on_other("the encoder was started again with another backbone")
                return
            for _ in range(self._like.connections):
                images.append(Connection(self._path, recipe, "images"))
                images[-1].share(self._slots)
            texts.append(Connection(self._path, recipe, "texts"))
            self._images.add(images)
            self._texts.add(texts)
            self.alive = True
            self.settled.set()
            if not self._closed:
                watched.wait()
        finally:
            self.alive = False
            self._images.drop(images)
            self._texts.drop(texts)
            watched.close()
            self._watched = None
