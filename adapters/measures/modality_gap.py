"""The modality gap: how far images as a whole lie from texts as a whole.

Liang et al., *Mind the Gap* (NeurIPS 2022).
"""

from __future__ import annotations

from math import nan

import torch
from torch import Tensor


def modality_gap(images: Tensor, texts: Tensor) -> float:
    """Euclidean distance of the mean image embedding to the mean text embedding.

    Args:
        images: (n, d) unit vectors.
        texts: (m, d) unit vectors; for images of classes, the text of each image, so that a
            class with many images does not look like a gap.

    Returns:
        Between 0 and 2; nan where either has no rows.

    Cost: (n + m) · d.
    """
    if len(images) == 0 or len(texts) == 0:
        return nan
    between = images.mean(dim=0, dtype=torch.float64) - texts.mean(dim=0, dtype=torch.float64)
    return float(between.norm())
