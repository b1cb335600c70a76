"""Image embedders by recipe: one as a rule, two while a database moves from one to the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Lock

from adapters.embeddings import ImageEmbeddings
from adapters.encoder import Encoder
from adapters.recipe import Recipe, recipes
from service.encoding.image_embedder import ImageEmbedder, Wait
from service.encoding.prompted import PromptedEncoders
from service.images.embedded import EmbeddedImage
from service.images.uploaded import UploadedImage
from service.settings import Settings

logger = logging.getLogger("handful")


class RecipeGone(Exception):
    """No classifier is of that recipe any more; whoever has found one looks again."""


class RecipeEmbedders:
    """Embeds images in the recipe that is asked for, by its fingerprint.

    Each recipe has an encoder, and threads and queues of its own. Embeddings under prompts of
    classifiers have fingerprints, too, and share one.

    Args:
        backbone: In the recipe of the start.
        settings: All of them.
        load: Loads the same backbone in another recipe; takes seconds.
        prompted: Encoders of prompts that classifiers choose; None: none can be chosen.
    """

    def __init__(
        self,
        backbone: Encoder,
        settings: Settings,
        load: Callable[[Recipe], Encoder],
        prompted: PromptedEncoders | None = None,
    ) -> None:
        self._prompted = prompted
        self._settings = settings
        self._load = load
        self._first = backbone
        self._recipes = {
            recipe.fingerprint(backbone.model_fingerprint): recipe for recipe in recipes()
        }
        self._backbones = {backbone.fingerprint: backbone}
        self._embedders = {backbone.fingerprint: ImageEmbedder(backbone, settings)}
        self._loading = Lock()

    def recipe(self, fingerprint: str) -> Recipe | None:
        """The recipe of that fingerprint; None if it is none of this backbone's."""
        return self._recipes.get(fingerprint)

    def fingerprint(self, recipe: Recipe) -> str:
        """The fingerprint of a recipe of this backbone."""
        return recipe.fingerprint(self._first.model_fingerprint)

    def can_embed(self, fingerprint: str) -> bool:
        """Whether images can be embedded under that fingerprint: its recipe is loaded if need be.

        Blocks while it is. Raises as :func:`adapters.loading.load_backbone`.
        """
        if fingerprint in self._embedders:
            return True
        if (recipe := self._recipes.get(fingerprint)) is None:
            return self._prompted is not None and self._prompted.can_embed(fingerprint)
        with self._loading:
            if fingerprint not in self._embedders:
                logger.info("loading the encoder in %s", recipe)
                backbone = self._load(recipe)
                self._backbones[fingerprint] = backbone
                self._embedders[fingerprint] = ImageEmbedder(backbone, self._settings)
        return True

    def encoder(self, fingerprint: str) -> Encoder:
        """What embeds in that recipe or under those prompts.

        Raises:
            RecipeGone: It is not loaded any more.
        """
        found = self._backbones.get(fingerprint)
        if found is None and self._prompted is not None:
            found = self._prompted.encoder(fingerprint)
        if found is None:
            raise RecipeGone
        return found

    def encoder_if_any(self, fingerprint: str) -> Encoder | None:
        """As :meth:`encoder`; None: it is of no recipe or prompts of this process."""
        try:
            return self.encoder(fingerprint) if self.can_embed(fingerprint) else None
        except RecipeGone:
            return None

    def is_prompted(self, fingerprint: str) -> bool:
        """Whether it is of prompts that a classifier has chosen; costs nothing."""
        return self._prompted is not None and self._prompted.knows(fingerprint)

    def embeds(self, fingerprint: str) -> bool:
        """Whether the recipe is loaded, or the prompts are; costs nothing."""
        return fingerprint in self._embedders or self.is_prompted(fingerprint)

    @property
    def waiting(self) -> int:
        """Images that wait to be embedded, or are being, for whomever and in whichever recipe."""
        return sum(one.waiting for one in self._all())

    def queries_wait(self) -> bool:
        """Whether an image that someone wants an answer about is not embedded; from any thread."""
        return any(one.queries_wait() for one in self._all())

    async def query(
        self,
        images: Sequence[UploadedImage],
        classifier: str,
        wait: Wait,
        fingerprint: str,
        at_once: Callable[[ImageEmbeddings], None] | None = None,
    ) -> ImageEmbeddings:
        """As :meth:`ImageEmbedder.query`, in the recipe of that fingerprint.

        Raises:
            RecipeGone: It is not loaded any more.
        """
        return await self.of(fingerprint).query(images, classifier, wait, at_once)

    async def register(
        self,
        images: Sequence[UploadedImage],
        classifier: str,
        wait: Wait,
        fingerprint: str,
        views: int = 1,
    ) -> list[EmbeddedImage]:
        """As :meth:`ImageEmbedder.register`, in the recipe of that fingerprint.

        Raises:
            RecipeGone: It is not loaded any more.
        """
        return await self.of(fingerprint).register(images, classifier, wait, views)

    def drop_all_but(self, fingerprint: str) -> None:
        """Let go of the other recipes, of which no classifier is any more; blocks.

        What was asked for in them before is done.
        """
        with self._loading:
            others = [key for key in self._embedders if key != fingerprint]
            gone = [(self._embedders.pop(key), self._backbones.pop(key)) for key in others]
        for embedder, backbone in gone:
            embedder.close_when_idle()
            if backbone is not self._first:  # which embeds texts, the same ones in every recipe
                backbone.close()

    def close(self) -> None:
        """Stop the threads of all."""
        for embedder in self._all():
            embedder.close()

    def of(self, fingerprint: str) -> ImageEmbedder:
        """The embedder of that fingerprint's recipe, or prompts.

        Raises:
            RecipeGone: It is not loaded any more.
        """
        found = self._embedders.get(fingerprint)
        if found is None and self._prompted is not None:
            found = self._prompted.embedder(fingerprint)
        if found is None:
            raise RecipeGone
        return found

    def _all(self) -> list[ImageEmbedder]:
        """What has queues and threads."""
        prompted = [] if self._prompted is None else self._prompted.embedders
        return [*self._embedders.values(), *prompted]
