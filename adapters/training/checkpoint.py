"""The state of a run on disk, whole or not at all, and read without executing what is in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from adapters.training.errors import CheckpointError


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state of tensors, numbers and lists; a process that dies leaves the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_state(path: Path) -> dict[str, Any] | None:
    """Read a state; None where there is none.

    Raises:
        CheckpointError: The file is damaged, or holds more than a state.
    """
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    # What PyTorch raises depends on where the file is damaged.
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read as the state of a run ({error}); delete it to begin anew"
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} is no state of a run; delete it to begin anew")
    return state
