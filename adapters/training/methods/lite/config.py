"""What the learning of `lite`'s projections is configured by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiteConfig:
    """How to learn; the defaults were chosen on generic images alone (caltech101, ImageNet).

    Attributes:
        sharpness: Of the text kernels, 1/σ² for σ = 0.4 on the sphere.
        ridge: Penalty of the kernel ridge regression.
        closed_form: Begin from kernel ridge regression; otherwise from random weights.
        steps: Contrastive steps.
        batch: Classes in a step.
        learning_rate: Peak of the one-cycle schedule (Adam).
        noise: Length of the noise added to a classifier row of length 1. Three gives pseudo
            images the cosine with their row, 0.32, that centred real features have.
        mix_weight: Weight of the m²-Mix loss beside the CLIP loss.
        mix_shape: Both parameters of the Beta distribution of m²-Mix's λ.
        initial_scale: Logit scale to begin with.
        scale_learning_rate: Of the logarithm of the logit scale.
    """

    sharpness: float = 6.25
    ridge: float = 0.05
    closed_form: bool = True
    steps: int = 150
    batch: int = 500
    learning_rate: float = 2e-4
    noise: float = 3.0
    mix_weight: float = 0.5
    mix_shape: float = 0.5
    initial_scale: float = 20.0
    scale_learning_rate: float = 1e-2
