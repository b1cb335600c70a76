"""A backbone that is elsewhere, as far as its description says what it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from adapters.backbones.antialias_framing import resized_by
from adapters.backbones.backbone import ensemble, prompt
from adapters.backbones.geometry import framing_of
from adapters.backbones.support_views import support_views
from adapters.embeddings import ImageEmbeddings
from service.encoder_process.description import Description


class _Correction(NamedTuple):
    name: str
    joint: bool


class DescribedEncoder(ABC):
    """What needs no encoder of :class:`adapters.encoder.Encoder`: attributes, framing, prompts.

    Pictures are framed here and embedded there.

    Attributes:
        description: What was told of the backbone.

    Args:
        of: The same.
        where: Where it is, for ``engine``.
        batch: Pictures that are handed over at once.
        passes: How many hand over at the same time.
    """

    shared = True

    def __init__(self, of: Description, where: str, *, batch: int, passes: int) -> None:
        self.description = of
        self.recipe = of.recipe
        self.name, self.logit_scale = of.name, of.logit_scale
        self.model_fingerprint, self.fingerprint = of.model_fingerprint, of.fingerprint
        self.width, self.corrected_width = of.width, of.corrected_width
        self.templates = of.templates
        self.correction = _Correction(of.correction, of.joint)
        self.device = torch.device(of.device)
        self.engine = f"{of.engine}, {where}"
        self.batch, self.passes = batch, passes
        self.image_size = min(of.height, of.breadth)
        self.preprocess = resized_by(of.resizing, framing_of(of.geometry))

    def preprocess_views(self, image: Image.Image, n: int, seed: str) -> list[Tensor]:
        """(H, W, 3) uint8 pixels of n support views of an image, of which the first is itself."""
        return [self.preprocess(view) for view in support_views(image, n, seed, self.image_size)]

    def encode_images(self, pixels: Tensor) -> ImageEmbeddings:
        """Embed (n, H, W, 3) uint8 images. Raises as :meth:`encode_pictures`."""
        return self.encode_pictures(list(pixels))

    @abstractmethod
    def encode_pictures(
        self, pictures: Sequence[Tensor], *, background: bool = False
    ) -> ImageEmbeddings:
        """Embed n pictures of (H, W, 3) uint8.

        Args:
            pictures: Any number.
            background: Whether all that others wait for goes first.

        Raises:
            EncoderAway: Nobody can encode.
            EncodingFailed: The pass failed.
        """

    @abstractmethod
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed n texts as (n, d) unit vectors. Raises as :meth:`encode_pictures`."""

    def text_lengths(self, texts: Sequence[str]) -> list[int]:
        """How long n texts are, in characters: the tokenizer is elsewhere."""
        return [len(text) for text in texts]

    def encode_classes(self, labels: Sequence[str], templates: Sequence[str] = ()) -> Tensor:
        """Embed N class names as (N, d) unit vectors, averaged over templates."""
        templates = self.templates_for(templates)
        texts = [prompt(label, template) for label in labels for template in templates]
        return ensemble(self.encode_texts(texts), len(templates))

    def templates_for(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The templates that class names are written into where these are asked for."""
        if self.description.fixed_templates:
            return self.templates
        return tuple(asked) or self.templates
