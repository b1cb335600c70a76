"""What fine-tuning with geodesic mixup is configured by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from adapters.training.methods.mixup.losses import MIXES

Learned = Literal["model", "projections", "adapter"]

LEARNING_RATES: Mapping[Learned, float] = {"model": 1e-5, "projections": 1e-4, "adapter": 1e-3}
"""Peaks for what is learned; the first is the authors', the others begin from less that is good."""

PUBLISHED_WEIGHTS: Mapping[str, float] = {"m2": 0.01, "v": 0.05, "l": 0.05, "vl": 0.1}
"""Weights of the mixes, from the scripts that the authors published (Flickr30k, ViT-B/32)."""


@dataclass(frozen=True, slots=True)
class MixupConfig:
    """The settings of the loss; the defaults are those of the authors' scripts.

    Attributes:
        weights: Of each mix that takes part, by its name in `MIXES`.
        shape: a, of λ ~ Beta(a, a), which is drawn for each mix in each step.
        m2_temperature: τ of m²-Mix. The other losses share the model's own.

    Raises:
        ValueError: There is no such mix, a weight is negative, or another number not positive.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: {"m2": PUBLISHED_WEIGHTS["m2"]})
    shape: float = 0.5
    m2_temperature: float = 0.07

    def __post_init__(self) -> None:
        if unknown := [name for name in self.weights if name not in MIXES]:
            raise ValueError(f"there is no mix {unknown[0]!r}; there are {', '.join(MIXES)}")
        if any(not 0 <= weight < math.inf for weight in self.weights.values()):
            raise ValueError(f"weights are at least 0, not {dict(self.weights)}")
        if not (0 < self.shape < math.inf and 0 < self.m2_temperature < math.inf):
            raise ValueError("the Beta distribution and the temperature take positive numbers")

    def as_dict(self) -> dict[str, object]:
        """The settings as JSON can hold them."""
        return {
            "weights": dict(self.weights),
            "shape": self.shape,
            "m2_temperature": self.m2_temperature,
        }
