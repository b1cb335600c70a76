"""The thread that moves a database to another recipe beside the requests, and follows others."""

from __future__ import annotations

import logging
import uuid
from contextlib import suppress
from threading import Event, Thread
from time import monotonic

from prometheus_client import Gauge

from adapters.recipe import Recipe
from service.encoding.recipes import RecipeEmbedders
from service.problems import CannotReEmbed, StorageFull, StorageUnavailable
from service.re_embedding.moving import Moving
from service.re_embedding.status import ReEmbeddingStatus
from service.registry.registry import Registry
from service.settings import Settings
from service.storage.errors import StorageError
from service.storage.moved_embeddings import MovedEmbeddings
from service.storage.recipe_move import Move, RecipeMoves
from service.storage.stale import StaleEmbeddings
from service.storage.store import Store

logger = logging.getLogger("handful")

LEFT = Gauge(
    "handful_re_embedding_images_left",
    "Images that are still to be embedded in the other recipe.",
    multiprocess_mode="max",
)

# Seconds between two looks at what other processes have begun or ended.
_LOOK = 2.0
# Seconds between two signs of life, and until what could not be written is tried again.
_BEAT, _AGAIN = 2.0, 10.0
# Longest that a batch waits for the images of requests, so that a busy service gets there, too.
_WAIT, _PAUSE = 1.0, 0.02


class Interrupted(Exception):
    """The move is not to be worked on as it was: the service ends, or it goes elsewhere."""


class ReEmbedder:
    """Moves the database when it is asked to, in one daemon thread; and follows where it goes.

    Args:
        store: Of the classifiers.
        moves: Of the same database.
        embeddings: Of the same database.
        registry: Of the classifiers.
        embedders: In both recipes.
        stale: Tells where images are used.
        settings: All of them.
        shared: Whether other processes have the database too.
    """

    def __init__(
        self,
        store: Store,
        moves: RecipeMoves,
        embeddings: MovedEmbeddings,
        registry: Registry,
        embedders: RecipeEmbedders,
        stale: StaleEmbeddings,
        settings: Settings,
        *,
        shared: bool,
    ) -> None:
        self._store = store
        self._moves = moves
        self._embedders = embedders
        self._settings = settings
        self._shared = shared
        self._worker = uuid.uuid4().hex
        self._asked, self._ends = Event(), Event()
        self._working_on: Move | None = None
        self._beat = 0.0
        self._moving = Moving(moves, embeddings, registry, stale, settings, self._step, self._rest)
        self._thread = Thread(target=self._run, name="re-embedding", daemon=True)
        self._asked.set()  # what was begun before the start is gone on with
        self._thread.start()

    # For requests; they block

    def begin(self, recipe: Recipe) -> None:
        """Ask for a move to a recipe.

        Raises:
            CannotReEmbed: Images were not kept.
            ReEmbeddingUnderWay: The database moves to another one.
        """
        target = self._embedders.fingerprint(recipe)
        if self._moves.current() is None and self._store.fingerprint == target:
            return
        lost = self._moves.not_kept(target)
        if lost or not self._settings.store_images:
            raise CannotReEmbed(
                f"{lost} support images were not kept (HANDFUL_STORE_IMAGES=false), so they "
                "cannot be embedded in another recipe. The service goes on with the recipe that "
                "it has. To change it, DELETE their classes, keep images from now on, register "
                "them again, and ask for this again."
            )
        self._moves.begin(self._store.fingerprint, target)
        self._asked.set()

    def cancel(self) -> None:
        """Go back to the recipe before, if the move is not at its end."""
        self._moves.turn_back()
        self._asked.set()

    def status(self) -> ReEmbeddingStatus:
        """Where the database is, and where it goes."""
        move = self._moves.current()
        # Another process may have been the last to move it.
        here = self._moves.fingerprint() or self._store.fingerprint
        target = here if move is None else move.target
        return ReEmbeddingStatus.of(
            move, self._moves.progress(target), target, self._embedders.recipe
        )

    def close(self) -> None:
        """End the thread; what it is at is gone on with by the next start."""
        self._ends.set()
        self._asked.set()
        self._thread.join(_AGAIN)

    def wake(self) -> None:
        """Others have begun a move, or turned one back; does not block."""
        self._asked.set()

    # The thread

    def _run(self) -> None:
        again: float | None = None
        while not self._ends.is_set():
            self._asked.wait(again if again is not None else _LOOK if self._shared else None)
            self._asked.clear()
            again = None
            try:
                self._follow()
                while not self._ends.is_set() and (move := self._claimed()):
                    self._work(move)
                    self._follow()
            except Interrupted:
                self._asked.set()
            except (StorageFull, StorageUnavailable) as error:
                logger.warning("re-embedding waits: %s", error)
                self._note(str(error.detail))
                again = _AGAIN
            except StorageError as error:
                logger.error("re-embedding has failed: %s", error)
                self._note(f"{error}", failed=True)
            except Exception as error:
                logger.exception("re-embedding has failed")
                self._note(f"{type(error).__name__}: {error}", failed=True)
        self._let_go()

    def _follow(self) -> None:
        """Embed, and make classifiers, in the recipe that the database goes to or is of."""
        move = self._moves.current()
        target = self._moves.fingerprint()
        if target is not None and target != self._store.fingerprint:
            if not self._embedders.can_embed(target):
                return  # a service of another backbone has it now, and requests say so
            self._store.make_under(target)
        if move is None:
            self._embedders.drop_all_but(self._store.fingerprint)

    def _work(self, move: Move) -> None:
        self._working_on, self._beat = move, monotonic()
        logger.info(
            "re-embedding: from %s to %s",
            self._embedders.recipe(move.source),
            self._embedders.recipe(move.target),
        )
        if not self._embedders.can_embed(move.target):
            raise StorageError("this service cannot load the recipe that the database moves to")
        if move.error is not None:
            self._moves.note(None)
        self._store.make_under(move.target)
        self._moving(self._embedders.encoder(move.target))
        LEFT.set(0)
        logger.info("re-embedding: done, all is in %s", self._embedders.recipe(move.target))

    def _step(self) -> None:
        """Give way to requests, and see that the move is still this one."""
        until = monotonic() + _WAIT
        while self._embedders.waiting and monotonic() < until and not self._ends.is_set():
            self._ends.wait(_PAUSE)
        if self._ends.is_set():
            raise Interrupted
        if monotonic() - self._beat > _BEAT:
            self._beat = monotonic()
            self._still_working()
        elif self._asked.is_set():
            self._asked.clear()
            self._still_working()

    def _claimed(self) -> Move | None:
        return self._moves.claim(self._worker, alone=not self._shared)

    def _still_working(self) -> None:
        move = self._claimed()
        if move is not None:
            progress = self._moves.progress(move.target)
            LEFT.set(progress.images - progress.images_done)
        if move is None or self._working_on is None or move.target != self._working_on.target:
            raise Interrupted

    def _rest(self) -> None:
        if self._ends.is_set():
            raise Interrupted

    def _note(self, error: str, *, failed: bool = False) -> None:
        with suppress(StorageFull, StorageUnavailable):  # the log has it
            self._moves.note(error, failed=failed)

    def _let_go(self) -> None:
        with suppress(StorageFull, StorageUnavailable):  # it looks dead in half a minute
            self._moves.let_go(self._worker)
