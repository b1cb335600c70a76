"""The work of a move between recipes, from wherever it stands, by whoever does it."""

from __future__ import annotations

from collections.abc import Callable

from fastapi_problem.error import StatusProblem

from adapters.encoder import Encoder
from adapters.rest import Rest
from service.images.decoding import DecodedImage, decode
from service.problems import ClassifierDamaged, ImageDamaged
from service.registry.reembedding import embedded
from service.registry.registry import Registry
from service.settings import Settings
from service.storage.errors import Outdated, StorageError
from service.storage.moved_embeddings import MovedEmbeddings
from service.storage.recipe_move import RecipeMoves
from service.storage.stale import StaleEmbeddings, StaleImage

# Images that are looked up at a time, and bytes of them that are in memory at a time.
_PAGE = 256
# Images that a message names.
_NAMED = 20


class Moving:
    """Embeds what is missing, changes classifiers over, and settles what is beside.

    Each step is a transaction of its own: it may be abandoned between any two, and is done again
    only as far as it is not. Memory is bounded by a batch of images and by one classifier.

    Args:
        moves: Of the database.
        embeddings: Of the same database.
        registry: Of its classifiers.
        stale: Tells where images are used.
        settings: Bounds of images and passes.
        step: Called with what was done before each batch, and before each classifier.
        rest: Called every few milliseconds of a tuning. Both may raise.
    """

    def __init__(
        self,
        moves: RecipeMoves,
        embeddings: MovedEmbeddings,
        registry: Registry,
        stale: StaleEmbeddings,
        settings: Settings,
        step: Callable[[], None],
        rest: Rest,
    ) -> None:
        self._moves = moves
        self._embeddings = embeddings
        self._registry = registry
        self._stale = stale
        self._settings = settings
        self._step = step
        self._rest = rest

    def __call__(self, encoder: Encoder) -> None:
        """Move the database to the recipe of an encoder; returns when all of it is there.

        Raises:
            StorageError: Images cannot be embedded, or classifiers not be read; which ones. What
                is not embedded or changed over is as it was.
            StorageFull, StorageUnavailable: It may be tried again from where it stands.
        """
        target = encoder.fingerprint
        while True:
            self._embed_all(encoder)
            self._change_over_all(encoder)
            if self._moves.arrive(target):
                break
            self._step()  # a classifier was made meanwhile, or the move was cancelled
        self._embed_all(encoder)
        while self._embeddings.settle(target):
            self._step()

    def _embed_all(self, encoder: Encoder) -> None:
        refused: list[str] = []
        after = 0
        while found := self._embeddings.missing(encoder.fingerprint, after, _PAGE):
            batch = self._settings.max_batch or encoder.batch
            for start in range(0, len(found), batch):
                self._step()
                refused += self._embed(found[start : start + batch], encoder, batch)
            after = found[-1].id
        if refused:
            more = len(refused) - _NAMED
            raise StorageError(
                f"{len(refused)} support images cannot be decoded, so no classifier was changed. "
                f"{' '.join(refused[:_NAMED])}{f' And {more} more.' * (more > 0)} "
                "DELETE them by these paths, and ask for this again"
            )

    def _embed(self, images: list[StaleImage], encoder: Encoder, most: int) -> list[str]:
        """Embed a batch; returns what is wrong with those that cannot be."""
        contents = self._embeddings.contents([image.id for image in images])
        ready: list[StaleImage] = []
        pictures: list[DecodedImage] = []
        refused: list[str] = []
        for image in images:
            if (content := contents.get(image.id)) is None:  # not kept, or gone with its last use
                refused += [f"{use}: It was not kept." for use in self._stale.uses(image.id)]
                continue
            try:
                if isinstance(content, ImageDamaged):
                    raise content
                pixels = self._settings.max_image_pixels
                pictures.append(decode(content, pixels, "It", side=encoder.image_size))
                ready.append(image)
            except StatusProblem as error:
                refused += [f"{use}: {error.detail}" for use in self._stale.uses(image.id)]
        if ready:
            made = embedded(ready, pictures, encoder, most)
            try:
                self._embeddings.write_embedded(encoder.fingerprint, made)
            except Outdated:  # a registration has just written one of them
                self._embeddings.write_embedded(encoder.fingerprint, made)
        return refused

    def _change_over_all(self, encoder: Encoder) -> None:
        damaged: list[str] = []
        for name in self._embeddings.classifiers(encoder.fingerprint):
            self._step()
            try:
                while not self._changed_over(name, encoder):
                    self._embed_all(encoder)
            except ClassifierDamaged as error:
                damaged.append(str(error.detail))
        if damaged:
            raise StorageError(
                f"{len(damaged)} classifiers cannot be read, and stay as they are: "
                + " ".join(damaged)
            )

    def _changed_over(self, name: str, encoder: Encoder) -> bool:
        while True:
            try:
                return self._registry.change_over(
                    self._embeddings, name, encoder.fingerprint, self._rest
                )
            except Outdated:
                self._step()
