"""Images to embeddings, as the first step of a pipeline."""

from __future__ import annotations

import os
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags

from adapters.backbones import Backbone
from adapters.recipe import Precision
from handful.pictures import embed
from handful.sklearn.image_estimator import ImageEstimatorMixin
from handful.sklearn.image_input import images_of


class HandfulEmbedder(
    ImageEstimatorMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """n images to (n, d) float32 unit vectors, by a frozen CLIP encoder; learns nothing.

    Before any classifier of scikit-learn, or before :class:`handful.sklearn.HandfulHead`. With
    ``Pipeline(memory=...)`` a search embeds the images of each fold once.

    Args:
        backbone: As of :class:`handful.sklearn.HandfulClassifier`, like the next four.
        adapter: As there.
        prompts: As there.
        precision: As there.
        device: As there.
        embedding: ``corrected`` has less intra-modal overlap, for comparing images with images;
            ``frozen`` is as the encoder was trained, comparable with its texts.
    """

    def __init__(
        self,
        backbone: str = "lite",
        *,
        adapter: str | os.PathLike[str] | None = None,
        prompts: str | os.PathLike[str] | None = None,
        precision: Precision = "float32",
        device: str | None = None,
        embedding: Literal["corrected", "frozen"] = "corrected",
    ) -> None:
        self.backbone = backbone
        self.adapter = adapter
        self.prompts = prompts
        self.precision = precision
        self.device = device
        self.embedding = embedding

    def fit(self, X: Any, y: Any = None) -> Self:
        """Look at neither; see that there is such a backbone.

        Raises:
            BackboneError: The backbone cannot be loaded.
            ValueError: There is no such embedding.
        """
        self.loaded()
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """(n, d) embeddings of n images; needs no ``fit``.

        Raises:
            ImageError: An image cannot be read.
            BackboneError: The backbone cannot be loaded.
            TypeError, ValueError: X is no sequence of images, or there is no such embedding.
        """
        backbone = self.loaded()
        rows: NDArray[np.float32] = getattr(embed(backbone, images_of(X)), self.embedding).numpy()
        return rows

    @property
    def _n_features_out(self) -> int:
        backbone = self.loaded()
        return backbone.width if self.embedding == "frozen" else backbone.corrected_width

    def loaded(self) -> Backbone:
        """The backbone, shared with all estimators of the same parameters.

        Raises:
            BackboneError: It cannot be loaded.
            ValueError: There is no such embedding.
        """
        if self.embedding not in ("corrected", "frozen"):
            raise ValueError(f"embedding={self.embedding!r}: choose corrected or frozen")
        return self._backbone()

    def __sklearn_tags__(self) -> Tags:
        """There is nothing to fit."""
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
