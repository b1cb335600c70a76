"""The backbones of an encoder replica: one as a rule, two while a database moves to a recipe."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from torch import Tensor

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings
from adapters.recipe import ChooseRecipe, Recipe
from service.encoder_process.description import Description
from service.encoding.fair_queue import Priority
from service.encoding.micro_batching import MicroBatcher
from service.encoding.pending_answers import is_given

logger = logging.getLogger("handful")

# Threads that hand pictures on: one that does, and one that waits meanwhile, so that a lone query
# is embedded by the thread that has it (service/encoding/micro_batching.py).
_HANDING_ON = 2


@dataclass(frozen=True, slots=True)
class HostedBackbone:
    """A backbone with its queue.

    Attributes:
        backbone: The same.
        description: What ingress replicas have to know of it.
        batches: Pictures of all ingress replicas, in micro-batches; queries go first.
        texts: The one thread that embeds texts.
    """

    backbone: Backbone
    description: Description
    batches: MicroBatcher
    texts: ThreadPoolExecutor

    @classmethod
    def of(cls, backbone: Backbone, max_batch: int | None) -> HostedBackbone:
        """Make a queue for a backbone."""
        batch = max_batch or backbone.batch
        return cls(
            backbone,
            Description.of(backbone, batch, encoders=1),
            MicroBatcher(
                backbone.encode_images,
                max_batch=batch,
                passes=backbone.passes,
                decoders=_HANDING_ON,
            ),
            ThreadPoolExecutor(1, "texts"),
        )

    async def encode_pictures(
        self, pixels: Tensor, ingress: str, background: bool
    ) -> ImageEmbeddings:
        """Embed (n, H, W, 3) uint8 pixels, in passes together with those of others.

        Args:
            pixels: One picture or more.
            ingress: Whose they are: ingress replicas take turns.
            background: Whether all that others wait for goes first.
        """
        priority = Priority.REGISTRATIONS if background else Priority.QUERIES
        request = self.batches.submit(
            [pixels], lambda rows: (None, list(rows)), ingress, priority, inputs=len(pixels)
        )
        try:
            [(_, rows)] = await request.answer
        finally:
            if not is_given(request.answer):
                self.batches.withdraw(request)
        return ImageEmbeddings.concatenate(rows)

    async def encode_texts(self, texts: list[str]) -> Tensor:
        """Embed n texts as (n, d) float32 rows."""
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(self.texts, self.backbone.encode_texts, texts)
        return rows.float()


class HostedBackbones:
    """Loads backbones that are asked for; for one event loop.

    Args:
        load: Loads the backbone in a recipe, or in the one that is chosen by the model's
            fingerprint; takes seconds.
        choose: Chooses the recipe of the first one, which is loaded now.
        max_batch: Most pictures in one pass; what suits the engine if None.

    Attributes:
        model_fingerprint: Of the model, whatever the recipe.

    Raises as :func:`service.encoder.load_encoder`.
    """

    def __init__(
        self,
        load: Callable[[Recipe | ChooseRecipe], Backbone],
        choose: ChooseRecipe,
        max_batch: int | None,
    ) -> None:
        self._load = load
        self._max_batch = max_batch
        self._loading = asyncio.Lock()
        self._hosted: dict[Recipe, HostedBackbone] = {}
        self.model_fingerprint = self._host(choose).backbone.model_fingerprint

    async def of(self, recipe: Recipe) -> HostedBackbone:
        """The one of a recipe, loaded now if it is not there.

        Raises as :func:`service.encoder.load_encoder`.
        """
        if (found := self._hosted.get(recipe)) is not None:
            return found
        async with self._loading:
            if (found := self._hosted.get(recipe)) is not None:
                return found
            return await asyncio.to_thread(self._host, recipe)

    def _host(self, recipe: Recipe | ChooseRecipe) -> HostedBackbone:
        backbone = self._load(recipe)
        hosted = HostedBackbone.of(backbone, self._max_batch)
        self._hosted[backbone.recipe] = hosted
        return hosted
