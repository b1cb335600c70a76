"""The frozen encoder of images and texts, as whoever serves or classifies with it sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from adapters.recipe import Recipe


class Corrected(Protocol):
    """Which correction of intra-modal overlap gave the second embedding.

    Attributes:
        name: Such as ``uncorrected``.
        joint: Whether the corrected embedding, too, is comparable with texts.
    """

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def joint(self) -> bool:
        """Whether what it gives is comparable with texts."""
        ...


class Encoder(Protocol):
    """A frozen encoder of images and texts, in this process or in another one.

    :class:`adapters.backbones.Backbone` is one, which documents the attributes.
    """

    recipe: Recipe
    name: str
    fingerprint: str
    model_fingerprint: str
    logit_scale: float
    width: int
    corrected_width: int
    templates: tuple[str, ...]
    image_size: int
    engine: str
    passes: int
    batch: int
    device: torch.device

    @property
    def correction(self) -> Corrected:
        """Where the second embedding comes from."""
        ...

    @property
    def shared(self) -> bool:
        """Whether it is in another process, for several of which it encodes."""
        ...

    @property
    def available(self) -> bool:
        """Whether it can encode at the moment."""
        ...

    def preprocess(self, image: Image.Image) -> Tensor:
        """Resize and crop an RGB image to (H, W, 3) uint8. Thread-safe."""
        ...

    def preprocess_views(self, image: Image.Image, n: int, seed: str) -> list[Tensor]:
        """:meth:`preprocess` of n support views of an image, of which the first is the image."""
        ...

    def encode_images(self, pixels: Tensor) -> ImageEmbeddings:
        """Embed (n, H, W, 3) uint8 images; both embeddings, on the CPU. Thread-safe."""
        ...

    def encode_pictures(
        self, pictures: Sequence[Tensor], *, background: bool = False
    ) -> ImageEmbeddings:
        """Embed n pictures of (H, W, 3) uint8, each a tensor of its own.

        Args:
            pictures: One or more.
            background: Whether all that others wait for goes first, where several processes share
                the encoder.
        """
        ...

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed n texts as (n, d) unit vectors, on the CPU."""
        ...

    def text_lengths(self, texts: Sequence[str]) -> list[int]:
        """How long texts are to the text tower, about: of one length they are quickest together."""
        ...

    def encode_classes(self, labels: Sequence[str], templates: Sequence[str] = ()) -> Tensor:
        """Embed N class names as (N, d) unit vectors, averaged over templates."""
        ...

    def close(self) -> None:
        """Let go of what another process holds for it; nobody encodes by it any more."""
        ...

    def templates_for(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The templates that class names are written into where these are asked for."""
        ...
