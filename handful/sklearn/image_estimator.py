"""What estimators on images share: a backbone, and tags that say what they take."""

from __future__ import annotations

import os

from sklearn.utils import Tags

from adapters.backbones import Backbone
from adapters.recipe import Precision
from handful.sklearn.shared_backbones import shared_backbone


class ImageEstimatorMixin:
    """An estimator whose samples are images, embedded by a backbone.

    Attributes:
        backbone: As of :func:`handful.load_backbone`, like the other four.
        adapter: What corrects intra-modal overlap.
        prompts: Learned prompts.
        precision: Of the image tower.
        device: Where it computes.
    """

    backbone: str
    adapter: str | os.PathLike[str] | None
    prompts: str | os.PathLike[str] | None
    precision: Precision
    device: str | None

    def _backbone(self) -> Backbone:
        """The backbone, shared with all estimators of the same parameters."""
        return shared_backbone(
            self.backbone, self.adapter, self.prompts, self.precision, self.device
        )

    def __sklearn_tags__(self) -> Tags:
        """Images are no table of numbers."""
        tags: Tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        return tags
