"""The terms of some queries, before they are weighted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Block:
    """Terms of n queries over N classes and NK support images.

    Attributes:
        zero_shot: (n, N) ``logit_scale · T_q Wᵀ``.
        affinity: (n, NK) cosines A of queries and support images.
        columns: (NK,) int64 column of each support image's class.
        signatures: (n, N) ``φ(−M) L`` of Tip-X; None for heads without it.
        truth: (n,) int64 columns of the true classes.
    """

    zero_shot: Tensor
    affinity: Tensor
    columns: Tensor
    signatures: Tensor | None
    truth: Tensor

    def votes(self, beta: float) -> Tensor:
        """(n, N) ``exp(−β(1 − A)) L``, each image counted once: L is one-hot, not balanced."""
        votes = torch.exp(-beta * (1 - self.affinity))
        return torch.zeros_like(self.zero_shot).index_add_(1, self.columns, votes)

    def logits(self, alpha: float, beta: float, gamma: float) -> Tensor:
        """(n, N) ``zero-shot + α · votes + γ · signatures``."""
        logits = self.zero_shot + alpha * self.votes(beta)
        return logits if self.signatures is None else logits + gamma * self.signatures

    def correct(self, alpha: float, beta: float, gamma: float) -> int:
        """How many queries the first of the largest logits names rightly."""
        best = self.logits(alpha, beta, gamma).argmax(dim=1)
        return int((best == self.truth).sum())
