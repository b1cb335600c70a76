"""Encoders of trained prompts that classifiers choose: one model for all, loaded for the first."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy
from threading import Lock
from typing import TYPE_CHECKING

from torch import Tensor

from adapters.backbone_errors import PromptError
from adapters.embeddings import ImageEmbeddings
from service.encoding.fair_queue import Priority
from service.encoding.image_embedder import ImageEmbedder, Picture
from service.problems import InvalidPrompts
from service.settings import Settings

if TYPE_CHECKING:  # it imports open_clip, which few services need
    from adapters.prompts import TrainedPrompts
    from adapters.prompts.prompted_encoder import PromptedEncoder
    from adapters.prompts.shared_towers import SharedTowers

logger = logging.getLogger("handful")

FindFile = Callable[[str], tuple[str, bytes] | None]
"""From a fingerprint of embeddings to the name and the file of the prompts that make them; None:
nobody's do. Blocks."""


class PromptedImageEmbedder(ImageEmbedder):
    """Embeds images under trained prompts; those of several share queues, threads and passes."""

    def __init__(self, encoder: PromptedEncoder, settings: Settings) -> None:
        super().__init__(encoder, settings)
        self._prompted = encoder

    def of(self, encoder: PromptedEncoder) -> PromptedImageEmbedder:
        """What embeds under other prompts in the same queues; costs nothing."""
        embedder = copy(self)
        embedder._backbone = embedder._prompted = encoder
        return embedder

    def _picture(self, pixels: Tensor, priority: Priority) -> Picture:
        return Picture(pixels, priority, self._prompted.vision)

    def _encode(self, pictures: list[Picture]) -> ImageEmbeddings:
        pixels = [one.pixels for one in pictures]
        return self._prompted.shared_pass(pixels, [one.prompts for one in pictures])


class PromptedEncoders:
    """Encoders of trained prompts by the fingerprint of their embeddings, and what embeds by them.

    All of them share the towers, and one embedder: images for different prompts stand in one
    queue, and in one pass where their prompts are of one shape. The model is in memory once more
    than the service's own, from the first prompts on.

    Attributes:
        model_fingerprint: Of the service's model, without prompts of classifiers.

    Args:
        settings: All of them.
        model_fingerprint: Of the service's model, without prompts of classifiers.
        load: Loads the towers; takes seconds.
        find: Finds the file of prompts.
        refusal: Why this service can embed with no prompts; None: it can.
    """

    def __init__(
        self,
        settings: Settings,
        model_fingerprint: str,
        load: Callable[[], SharedTowers],
        find: FindFile,
        refusal: str | None = None,
    ) -> None:
        self._settings = settings
        self.model_fingerprint = model_fingerprint
        self._load, self._find = load, find
        self._refusal = refusal
        self._towers: SharedTowers | None = None
        self._embedder: PromptedImageEmbedder | None = None
        self._encoders: dict[str, PromptedEncoder] = {}
        self._embedders: dict[str, ImageEmbedder] = {}
        self._loading = Lock()

    def knows(self, fingerprint: str) -> bool:
        """Whether encoder and embedder of that fingerprint are there; costs nothing."""
        return fingerprint in self._embedders

    def can_embed(self, fingerprint: str) -> bool:
        """Whether images can be embedded so: what is needed for it is loaded. Blocks.

        Raises:
            BackboneError: The model cannot be loaded.
        """
        if fingerprint in self._embedders:
            return True
        if self._refusal is not None or (found := self._find(fingerprint)) is None:
            return False
        name, content = found
        try:
            self.add(content, f"the file of the prompts {name!r}")
        except PromptError as error:  # of a row that is damaged: others go on
            logger.error("classifiers with the prompts %r cannot answer: %s", name, error)
            return False
        return fingerprint in self._embedders

    def add(self, content: bytes, called: str) -> tuple[TrainedPrompts, str]:
        """Read prompts, see that they fit the model, and embed by them from now on. Blocks.

        Args:
            content: Their file.
            called: What messages call them.

        Returns:
            The prompts, and the fingerprint of embeddings with them.

        Raises:
            PromptError: They are none, or not for this model.
            InvalidPrompts: This service can embed with none.
            BackboneError: The model cannot be loaded.
        """
        from adapters.prompts.checkpoint import read_prompts
        from adapters.prompts.prompted_encoder import PromptedEncoder

        self.refuse()
        trained = read_prompts(content, called)
        with self._loading:
            towers = self._shared()
            encoder = PromptedEncoder(towers, trained, called, self.model_fingerprint)
            fingerprint = encoder.fingerprint
            if fingerprint not in self._embedders:
                if self._embedder is None:
                    self._embedder = PromptedImageEmbedder(encoder, self._settings)
                self._encoders[fingerprint] = encoder
                self._embedders[fingerprint] = self._embedder.of(encoder)
        return trained, fingerprint

    def forget(self, fingerprint: str) -> None:
        """Let go of prompts that nobody has any more; what was asked of them is done."""
        with self._loading:
            gone = self._encoders.pop(fingerprint, None)
            self._embedders.pop(fingerprint, None)
            if gone is None or self._towers is None:
                return
            shapes = {encoder.vision.shape for encoder in self._encoders.values()}
            if gone.vision.shape not in shapes:
                self._towers.release(gone.vision)

    def refuse(self) -> None:
        """Say why this service can embed with no prompts; nothing where it can.

        Raises:
            InvalidPrompts: It cannot.
        """
        if self._refusal is not None:
            raise InvalidPrompts(self._refusal)

    def encoder(self, fingerprint: str) -> PromptedEncoder | None:
        """The encoder of a fingerprint; None: that is not loaded."""
        return self._encoders.get(fingerprint)

    def embedder(self, fingerprint: str) -> ImageEmbedder | None:
        """What embeds under a fingerprint; None: that is not loaded."""
        return self._embedders.get(fingerprint)

    @property
    def embedders(self) -> list[ImageEmbedder]:
        """What has queues and threads: one, or none where no prompts were used so far."""
        return [] if self._embedder is None else [self._embedder]

    def _shared(self) -> SharedTowers:
        if self._towers is None:
            logger.info("loading both towers of %s for prompts", self._settings.backbone)
            self._towers = self._load()
        return self._towers
