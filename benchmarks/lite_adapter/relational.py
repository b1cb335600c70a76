"""What of relational distillation was tried alone, without distillation beside it."""

from __future__ import annotations

import torch
from torch import Tensor

from adapters.training.methods.imo.objectives.relational import RelationalDistillation, centred


class Relational(RelationalDistillation):
    """Views of an image come together, and others as far as they are neighbours; that alone."""

    def forward(self, *batch: Tensor) -> Tensor:
        """Return the mean cross-entropy between the likenesses of both towers."""
        plain, restyled = batch
        with self.adapter.both():
            frozen, adapted = self.encoder(plain).chunk(2)
        return self.related(frozen, torch.cat([adapted, self.encoder(restyled)]))


class PooledAlone(Relational):
    """Aims at the frozen embedding, and at that alone."""

    @torch.no_grad()
    def likeness(self, frozen: Tensor) -> Tensor:
        """The (n, n) cosines that are aimed at."""
        rows = centred(frozen)
        return rows @ rows.T


class JointAlone(Relational):
    """Aims at what the projection makes of the frozen embedding, and at that alone."""

    @torch.no_grad()
    def likeness(self, frozen: Tensor) -> Tensor:
        """The (n, n) cosines that are aimed at."""
        rows = centred(self.projection(frozen))
        return rows @ rows.T
