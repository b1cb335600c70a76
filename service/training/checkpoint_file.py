"""The checkpoint of a run on disk, whole or not at all, read without executing what is in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from adapters.training.training_errors import CheckpointError


@dataclass(frozen=True, slots=True)
class CheckpointFile:
    """The file that a run's state is kept in: `adapters.training.loop.Checkpoint` on disk.

    Attributes:
        path: Of the file.
    """

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def write(self, state: dict[str, Any]) -> None:
        """Write a state of tensors, numbers and lists; a process that dies leaves the last."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        with part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)

    def read(self) -> dict[str, Any] | None:
        """Read the state; None where there is none.

        Raises:
            CheckpointError: The file is damaged, or holds more than a state.
        """
        if not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        # What PyTorch raises depends on where the file is damaged.
        except Exception as error:
            raise CheckpointError(
                f"{self.path} cannot be read as the state of a run ({error}); delete it to begin "
                "anew"
            ) from error
        if not isinstance(state, dict):
            raise CheckpointError(f"{self.path} is no state of a run; delete it to begin anew")
        return state

    def remove(self) -> None:
        """Delete the file, if there is one: the run is finished."""
        self.path.unlink(missing_ok=True)
