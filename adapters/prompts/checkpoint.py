"""Trained prompts on disk: tensors and JSON, nothing that is executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from adapters.backbone_errors import PromptError
from adapters.prompts.config import CommaConfig
from adapters.whole_files import written_whole

PROMPTS_NAME = "prompts.safetensors"
_FORMAT = "handful-prompts-1"


@dataclass(frozen=True, slots=True)
class TrainedPrompts:
    """Learned prompts of both towers, ready to be used.

    The image tower's prompts depend on the text tower's alone, not on classes or images, so
    what generated them is not needed any more.

    Attributes:
        config: Their settings.
        text: P, (depth, n, text width) float32.
        vision: V, (depth, n, vision width) float32.
        backbone: Name of the backbone that they were trained with, for error messages.
        fingerprint: SHA-256 of the weights of that backbone's model.
        record: How they were trained, as JSON can hold it.
    """

    config: CommaConfig
    text: Tensor
    vision: Tensor
    backbone: str
    fingerprint: str
    record: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write the file; a process that dies leaves none or the one before."""
        path.parent.mkdir(parents=True, exist_ok=True)
        described = {
            "config": self.config.as_dict(),
            "backbone": self.backbone,
            "fingerprint": self.fingerprint,
            "record": self.record,
        }
        tensors = {"text": self.text.contiguous(), "vision": self.vision.contiguous()}
        # One entry alone: safetensors writes several in an order that changes between runs.
        # And its own files only their owner can read.
        with written_whole(path) as part:
            part.write_bytes(save(tensors, {_FORMAT: json.dumps(described)}))


def load_prompts(path: Path) -> TrainedPrompts:
    """Read trained prompts.

    Raises:
        PromptError: There is no such file, or it holds something else.
    """
    if not path.is_file():
        raise PromptError(
            f"there is no file {path}; make prompts with: handful train comma --out FOLDER, "
            f"which writes FOLDER/{PROMPTS_NAME}"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if _FORMAT not in metadata:
                raise PromptError(
                    f"{path} holds no prompts of this version of Handful ({_FORMAT}); name the "
                    f"{PROMPTS_NAME} of handful train comma"
                )
            described = json.loads(metadata[_FORMAT])
            config = CommaConfig.from_dict(described["config"])
            # Copies, because a tensor would keep the file mapped.
            text, vision = (file.get_tensor(name).clone() for name in ("text", "vision"))
        _check(text, vision, config)
        return TrainedPrompts(
            config,
            text,
            vision,
            described["backbone"],
            described["fingerprint"],
            described["record"],
        )
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise PromptError(
            f"{path} is damaged ({error}); copy it again, or train the prompts anew"
        ) from error


def _check(text: Tensor, vision: Tensor, config: CommaConfig) -> None:
    for name, found in (("text", text), ("vision", vision)):
        if found.ndim != 3 or tuple(found.shape[:2]) != (config.depth, config.length):
            raise ValueError(f"{name} prompts of shape {tuple(found.shape)} do not fit {config}")
        if found.dtype != torch.float32 or not bool(found.isfinite().all()):
            raise ValueError(f"{name} prompts are not finite float32")
