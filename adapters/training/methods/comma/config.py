"""What a run of prompts is configured by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from adapters.prompts.config import CommaConfig
from adapters.training.loop import LoopSettings

Generators = Literal["learned", "fixed"]


@dataclass(frozen=True, slots=True)
class CommaTerms:
    """What of COMMA is learned, and by which terms of the loss.

    Attributes:
        generators: ``learned``, or ``fixed``: they stay random, and no gradient comes through
            what they generate, as in the published code.
        anchor: Template of the hand-written texts that learned ones stay near to, compared
            over the whole context with its padding, as in the published code. None: the one
            that the prompts begin with, without the padding.

    Raises:
        ValueError: The anchor has no ``{}`` for the class name.
    """

    generators: Generators = "learned"
    anchor: str | None = None

    def __post_init__(self) -> None:
        if self.anchor is not None and "{}" not in self.anchor:
            raise ValueError(f"the template {self.anchor!r} has no {{}} for the class name")

    def as_dict(self) -> dict[str, object]:
        """The settings as JSON can hold them."""
        return asdict(self)


OURS = CommaTerms()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommaPreset:
    """Settings that go together; what is given beside them replaces them.

    Attributes:
        prompts: Of the prompts.
        loop: Of the loop.
        terms: Of the loss.
        shots: Images of each class to train on.
    """

    prompts: CommaConfig
    loop: LoopSettings
    terms: CommaTerms = OURS
    shots: int = 16


# The authors' settings for 16 shots, but for the optimiser.
DEFAULTS = LoopSettings(
    epochs=5, batch=4, learning_rate=1e-3, weight_decay=5e-4, warmup=0.2, precision="no"
)


def _published(*, depth: int, epochs: int, learning_rate: float) -> CommaPreset:
    prompts = CommaConfig(depth=depth)
    return CommaPreset(
        prompts=prompts,
        loop=LoopSettings(
            epochs=epochs,
            batch=4,
            learning_rate=learning_rate,
            weight_decay=5e-4,
            warmup=0,
            optimiser="sgd",
            schedule="epochs",
            lowest_rate=1e-5,
            decays="all",
            seed=1,
        ),
        terms=CommaTerms("fixed", prompts.template),
    )


PRESETS: Mapping[str, CommaPreset] = {
    "ours": CommaPreset(prompts=CommaConfig(), loop=DEFAULTS),
    "published": _published(depth=9, epochs=5, learning_rate=0.0035),
    "cross-dataset": _published(depth=3, epochs=2, learning_rate=0.0026),
}
"""``published``: from base to novel classes and for few shots; ``cross-dataset``: from ImageNet to
other data sets. See docs/training.md."""
