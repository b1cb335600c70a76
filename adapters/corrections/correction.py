"""Corrections of intra-modal overlap: how an image gets its second embedding."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn


class Correction(Protocol):
    """A correction of intra-modal overlap (Kravets & Namboodiri, BMVC 2024).

    Attributes:
        name: Enters the backbone's fingerprint: embeddings of different corrections must not
            be compared.
        joint: Whether the corrected embedding, too, is comparable with texts.
        module: What it has parameters in that are not the tower's, if anything.
    """

    name: str
    joint: bool
    module: nn.Module | None

    def embed(self, visual: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Run the image tower once for both embeddings, neither of them normalised yet.

        Args:
            visual: The image tower of an open_clip model.
            pixels: (n, 3, H, W) normalised pixels.

        Returns:
            The frozen (n, d) and the corrected (n, d') embeddings; each row depends on its
            own image alone.
        """
        ...


class BeforeProjection:
    """The pooled feature before the contrastive projection as the corrected embedding.

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


class Uncorrected:
    """No correction, for encoders without a trained adapter: the frozen embedding twice.

    So Tip-Adapter++ answers as Tip-Adapter does.
    """

    name = "uncorrected"
    joint = True
    module: nn.Module | None = None

    def embed(self, visual: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (n, d) embedding of the tower twice."""
        frozen: Tensor = visual(pixels)
        return frozen, frozen
