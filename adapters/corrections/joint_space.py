"""Which corrected embeddings can be compared with texts."""

from __future__ import annotations

from adapters.bottleneck.correction import AdaptedBeforeProjection
from adapters.corrections.before_projection import BeforeProjection
from adapters.corrections.correction import Correction


def in_joint_space(correction: Correction, width: int, corrected_width: int) -> bool:
    """Whether a corrected embedding lives where the frozen one and the texts do.

    A feature that leaves out the projection does not, whatever its width.

    Args:
        correction: What makes it.
        width: d, of the frozen embedding and the texts.
        corrected_width: d', of the corrected embedding.
    """
    pooled = isinstance(correction, BeforeProjection | AdaptedBeforeProjection)
    return width == corrected_width and not pooled
