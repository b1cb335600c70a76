"""What a run knows of the launcher that started it: torchrun, accelerate or none."""

from __future__ import annotations

import os


def is_first() -> bool:
    """Whether this process is the one that speaks for all."""
    return os.environ.get("RANK", "0") == "0"


def count() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def part() -> None:
    """Wait for the other processes of a run, then leave them.

    A launcher ends all of them when one ends badly, and one that leaves without a word does.
    """
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
