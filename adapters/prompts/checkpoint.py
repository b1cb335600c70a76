"""Trained prompts on disk: tensors and JSON, nothing that is executed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from adapters.backbone_errors import PromptError
from adapters.prompts.config import MOST_CHARACTERS, CommaConfig
from adapters.whole_files import written_whole

PROMPTS_NAME = "prompts.safetensors"
MOST_BYTES = 16 * 2**20
"""Largest file that is read: 16 tokens in all 48 layers of the largest ViT there is take half."""
_FORMAT = "handful-prompts-1"
_DAMAGED = (
    *(SafetensorError, ValueError, KeyError, TypeError, AttributeError),
    RecursionError,  # JSON as deep as its length
)


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
        sha256: Of the file that they were read from; empty where they come from none.
    """

    config: CommaConfig
    text: Tensor
    vision: Tensor
    backbone: str
    fingerprint: str
    record: Mapping[str, Any]
    sha256: str = field(default="", compare=False)

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
        if path.stat().st_size > MOST_BYTES:
            raise PromptError(_other(str(path)))
        content = path.read_bytes()
    except OSError as error:
        raise PromptError(f"{path} cannot be read ({error})") from error
    return read_prompts(content, str(path))


def read_prompts(content: bytes, called: str) -> TrainedPrompts:
    """Read trained prompts from the bytes of their file; nothing of it is executed.

    Args:
        content: :data:`MOST_BYTES` at most.
        called: What messages call them.

    Raises:
        PromptError: They are something else, or damaged.
    """
    try:
        tensors = load(content)
        # Past the check above the header is what the format says: its length, then JSON.
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = header.get("__metadata__", {})
        if _FORMAT not in metadata:
            raise PromptError(_other(called))
        described = json.loads(metadata[_FORMAT])
        config = CommaConfig.from_dict(described["config"])
        text, vision = tensors["text"], tensors["vision"]
        _check(text, vision, config)
        return TrainedPrompts(
            config,
            text,
            vision,
            _name(described["backbone"]),
            _name(described["fingerprint"]),
            dict(described["record"]),
            hashlib.sha256(content).hexdigest(),
        )
    except _DAMAGED as error:
        raise PromptError(
            f"{called} is damaged ({error}); copy it again, or train the prompts anew"
        ) from error


def _name(value: object) -> str:
    """A name as it can be stored and shown."""
    name = str(value)
    if len(name) > MOST_CHARACTERS:
        raise ValueError(f"a name of {len(name)} characters")
    name.encode()
    return name


def _other(called: str) -> str:
    return (
        f"{called} holds no prompts of this version of Handful ({_FORMAT}); name the "
        f"{PROMPTS_NAME} of handful train comma"
    )


def _check(text: Tensor, vision: Tensor, config: CommaConfig) -> None:
    for name, found in (("text", text), ("vision", vision)):
        if found.ndim != 3 or tuple(found.shape[:2]) != (config.depth, config.length):
            raise ValueError(f"{name} prompts of shape {tuple(found.shape)} do not fit {config}")
        if found.dtype != torch.float32 or not bool(found.isfinite().all()):
            raise ValueError(f"{name} prompts are not finite float32")
