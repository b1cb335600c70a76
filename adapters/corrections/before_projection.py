"""The pooled feature before the contrastive projection as the corrected embedding."""

from __future__ import annotations

from torch import Tensor, nn


class BeforeProjection:
    """Compares images before they are projected into the space shared with texts.

    The projection is trained on image-text similarity alone and raises the overlap of
    same-class and different-class images; the feature before it does not have that defect.
    Needs open_clip's timm tower: a ``trunk`` that pools, then a ``head`` that projects.
    Costs nothing beyond the frozen embedding.
    """

    name = "before-projection"
    joint = False
    module: nn.Module | None = None

    def embed(self, visual: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the projected (n, d) and the pooled (n, d') features."""
        pooled: Tensor = visual.get_submodule("trunk")(pixels)
        return visual.get_submodule("head")(pooled), pooled
