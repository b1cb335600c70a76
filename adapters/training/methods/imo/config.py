"""What a run of an adapter against intra-modal overlap is configured by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adapters.corrections.bottleneck import BottleneckConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ImoConfig:
    """Settings of a run; None stands for what the objective's recipe says.

    Attributes:
        objective: One of `RECIPES`.
        adapter: Width, scale and places of the bottleneck adapter.
        epochs: Passes over the data.
        batch: Images of a process before accumulation.
        accumulate: Batches to a step.
        learning_rate: Its peak.
        precision: What passes are computed in.
        workers: Processes that prepare images.
        seed: Decides every random draw.
    """

    objective: str
    adapter: BottleneckConfig | None = None
    epochs: int | None = None
    batch: int | None = None
    accumulate: int = 1
    learning_rate: float | None = None
    precision: Literal["no", "bf16", "fp16"] = "no"
    workers: int = 0
    seed: int | None = None
