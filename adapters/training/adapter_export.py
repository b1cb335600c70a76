"""A trained bottleneck adapter as what a run leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from adapters.corrections.bottleneck import BottleneckAdapter, save_adapter

ADAPTER_NAME = "adapter.safetensors"


@dataclass(frozen=True, slots=True)
class TrainedAdapter:
    """A bottleneck adapter that was trained on an image tower (a `Trained`).

    Attributes:
        adapter: Its parameters and settings.
        backbone: Name of the backbone, for error messages.
        fingerprint: SHA-256 of the image tower that it belongs to.
    """

    adapter: BottleneckAdapter
    backbone: str
    fingerprint: str
    file_name: ClassVar[str] = ADAPTER_NAME

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """Down- and up-projections of each place."""
        return self.adapter.state_dict()

    def save(self, path: Path, record: Mapping[str, Any]) -> None:
        """Write the file that :func:`adapters.corrections.bottleneck.load_adapter` reads."""
        save_adapter(
            path,
            self.adapter,
            backbone=self.backbone,
            fingerprint=self.fingerprint,
            made=record,
        )
