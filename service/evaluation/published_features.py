"""Features as the papers' code makes them: of whole pictures; support images by ten crops."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from rich.console import Console
from torch import Tensor
from torch.nn.functional import normalize

from adapters.backbones import Backbone
from adapters.backbones.support_views import VIEWS, random_crops
from adapters.embeddings import ImageEmbeddings
from service.datasets.feature_cache import FeatureCache
from service.datasets.features import Features
from service.settings import Settings

CROPS = 10
"""Random crops of a support image, of half to all of its area, half of them mirrored."""


class PublishedFeatures(Features):
    """Features of image files as Kravets & Namboodiri make them.

    Queries are resized and cropped from the whole picture, which a service decodes at a fraction of
    its size where that is enough. Of a support image the raw embeddings of ten random crops are
    averaged and then normalised; the image itself is not among them.

    Args:
        backbone: Whose engine is `adapters.engines.raw.Raw`.
        settings: How files are read.
        console: For progress.
        cache: Folder where features are kept; None: nowhere.
        crops: Of each image; 0: the image itself.
    """

    def __init__(
        self,
        backbone: Backbone,
        settings: Settings,
        console: Console,
        cache: Path | None,
        *,
        crops: int = 0,
    ) -> None:
        kind = f"{crops}-raw-{VIEWS}" if crops else "whole"
        kept = None if cache is None else FeatureCache(cache, backbone, kind=kind)
        super().__init__(backbone, settings, console, kept, views=max(crops, 1))
        self._crops = crops

    def _row(self, views: ImageEmbeddings) -> ImageEmbeddings:
        return ImageEmbeddings(
            normalize(views.frozen.mean(dim=0, keepdim=True), dim=1),
            normalize(views.corrected.mean(dim=0, keepdim=True), dim=1),
        )

    def _side(self) -> int | None:
        return None

    def _shown(self, image: Image.Image, sha256: str) -> list[Tensor]:
        if not self._crops:
            return [self._backbone.preprocess(image)]
        crops = random_crops(image, self._crops, sha256, self._backbone.image_size)
        return [self._backbone.preprocess(crop) for crop in crops]
