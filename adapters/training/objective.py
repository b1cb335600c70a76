"""What a training run minimises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn


class Objective(nn.Module, ABC):
    """A loss with everything that it needs: frozen models, what is learned, teachers.

    Parameters that require a gradient are learned. Frozen models are kept in evaluation mode
    and out of checkpoints.

    Attributes:
        frozen: Names of the submodules that stay as they are.
        clip: Largest norm of the gradient; None clips nothing.
        clip_each: Whether it is the norm of each parameter's gradient, not of all together.
    """

    frozen: Sequence[str] = ()
    clip: float | None = None
    clip_each: bool = False

    @abstractmethod
    def forward(self, *batch: Tensor) -> Tensor:
        """Return the mean loss of a batch, a scalar; the tensors are what the data set yields."""

    def begin_epoch(self, epoch: int) -> None:
        """Enter an epoch, counted from 0; a run that is resumed enters its epoch again."""

    def after_step(self, done: float) -> None:
        """Follow an optimiser step, as a moving average does.

        Args:
            done: Share of the run that is done, in (0, 1].
        """

    def groups(self, learning_rate: float) -> list[dict[str, object]]:
        """Parameter groups for the optimiser: biases, norms and single vectors do not decay."""
        learned = [p for p in self.parameters() if p.requires_grad]
        return [
            {"params": [p for p in learned if p.ndim > 1], "lr": learning_rate},
            {"params": [p for p in learned if p.ndim <= 1], "lr": learning_rate, "weight_decay": 0},
        ]

    def train(self, mode: bool = True) -> Objective:
        """Switch to training, except for what is frozen."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self

    def learned_state(self) -> dict[str, Tensor]:
        """State of everything but the frozen submodules, under its names."""
        return {
            name: value
            for name, value in self.state_dict().items()
            if not any(name.startswith(f"{frozen}.") for frozen in self.frozen)
        }
