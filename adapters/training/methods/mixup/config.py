"""What fine-tuning with geodesic mixup is configured by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from adapters.training.loop import LoopSettings
from adapters.training.methods.mixup.losses import MIXES

Learned = Literal["model", "projections", "adapter"]

LEARNING_RATES: Mapping[Learned, float] = {"model": 1e-5, "projections": 1e-4, "adapter": 1e-3}
"""Peaks for what is learned; the first is the authors', the others begin from less that is good."""

PUBLISHED_WEIGHTS: Mapping[str, float] = {"m2": 0.01, "v": 0.05, "l": 0.05, "vl": 0.1}
"""Weights of the mixes, from the scripts that the authors published (Flickr30k, ViT-B/32)."""


@dataclass(frozen=True, slots=True)
class MixupConfig:
    """The settings of the loss.

    Attributes:
        weights: Of each mix that takes part, by its name in `MIXES`.
        shape: a, of λ ~ Beta(a, a), which is drawn for each mix in each step.
        m2_shape: The same for m²-Mix.
        m2_temperature: τ of m²-Mix.
        temperature: τ of the other losses; None: the model's own, which is learned if the model
            is.
        fading: Whether mixes count a half in the second epoch, a third in the third, and so on.

    Raises:
        ValueError: There is no such mix, a weight is negative, or another number not positive.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: {"m2": PUBLISHED_WEIGHTS["m2"]})
    shape: float = 0.5
    m2_shape: float = 0.5
    m2_temperature: float = 0.07
    temperature: float | None = None
    fading: bool = False

    def __post_init__(self) -> None:
        if unknown := [name for name in self.weights if name not in MIXES]:
            raise ValueError(f"there is no mix {unknown[0]!r}; there are {', '.join(MIXES)}")
        if any(not 0 <= weight < math.inf for weight in self.weights.values()):
            raise ValueError(f"weights are at least 0, not {dict(self.weights)}")
        positive = [self.shape, self.m2_shape, self.m2_temperature]
        if self.temperature is not None:
            positive.append(self.temperature)
        if not all(0 < number < math.inf for number in positive):
            raise ValueError("Beta distributions and temperatures take positive numbers")

    @classmethod
    def published(cls, weights: Mapping[str, float]) -> MixupConfig:
        """The settings of the authors' scripts for mixes with these weights.

        λ of m²-Mix is drawn from Beta(½, ½) where it is alone, and from Beta(0.2, 0.2) beside
        others (m³-Mix).
        """
        alone = set(weights) == {"m2"}
        return cls(weights, m2_shape=0.5 if alone else 0.2, temperature=0.01, fading=True)

    def as_dict(self) -> dict[str, object]:
        """The settings as JSON can hold them."""
        return asdict(self) | {"weights": dict(self.weights)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MixupPreset:
    """Settings that go together; what is given beside them replaces them.

    Attributes:
        loop: Of the loop, but for the learning rate, which depends on what is learned.
        config: Of the loss, by the weights of mixes.
        augmented: Whether images are cropped at random.
        holds_out: Whether some pairs are kept from training, to measure on them.
    """

    loop: LoopSettings
    config: Callable[[Mapping[str, float]], MixupConfig] = MixupConfig
    augmented: bool = True
    holds_out: bool = True


PRESETS: Mapping[str, MixupPreset] = {
    "ours": MixupPreset(loop=LoopSettings(epochs=9, batch=128, weight_decay=0.2, warmup=0.1)),
    "published": MixupPreset(
        loop=LoopSettings(epochs=9, batch=128, weight_decay=0.2, warmup=0.1, decays="all", seed=1),
        config=MixupConfig.published,
        augmented=False,
        holds_out=False,
    ),
}
"""``published`` is what the authors' scripts run; see docs/training.md."""
