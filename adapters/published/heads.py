"""Zero-shot, Tip-Adapter(++) and Tip-X(++) by the equations of their authors' code.

Three things differ from ``adapters.heads``, which serves: L is not balanced between classes of
different numbers of images; φ of Tip-X takes its ranges from all queries that are asked together
and not from the support set; and α, β, γ are given (:mod:`adapters.published.validation_search`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from adapters.embeddings import ImageEmbeddings, View
from adapters.heads.tip_x import divergences, log_signatures
from adapters.published.block import Block
from adapters.published.validation_search import PUBLISHED_GRID, Found, Setting, search

# Elements of an (n, NK) matrix at a time, in float32: 64 MiB.
_AT_A_TIME = 1 << 24


@dataclass(frozen=True, slots=True)
class Published:
    """What of a head's equation is its own.

    Attributes:
        view: By which embedding images are compared.
        votes: Whether support images vote.
        signatures: Whether the signatures of Tip-X take part. They are always those of the frozen
            embedding; the range of φ is that of the affinity of ``view``.
    """

    view: View = "frozen"
    votes: bool = True
    signatures: bool = False


PUBLISHED_HEADS: dict[str, Published] = {
    "zero-shot": Published(votes=False),
    "tip-adapter": Published(),
    "tip-adapter++": Published("corrected"),
    "tip-x": Published(signatures=True),
    "tip-x++": Published("corrected", signatures=True),
}
"""Heads that the authors' code evaluates. Those of APE's authors are searched over other ranges,
channels and weights for each of their data sets, on another encoder; GDA has no such search."""


class PublishedHead:
    """A head with a support set, to be searched and measured.

    Args:
        name: Of :data:`PUBLISHED_HEADS`.
        texts: (N, d) unit class texts W.
        support: The NK support images.
        columns: (NK,) int64 column of each one's class.
        logit_scale: Of the zero-shot logits.
    """

    def __init__(
        self,
        name: str,
        texts: Tensor,
        support: ImageEmbeddings,
        columns: Tensor,
        logit_scale: float,
    ) -> None:
        self._head = PUBLISHED_HEADS[name]
        self._texts, self._support, self._columns = texts, support, columns
        self._logit_scale = logit_scale

    def search(self, queries: ImageEmbeddings, truth: Tensor) -> Found:
        """The best setting on a validation set; there is one only where nobody votes.

        Args:
            queries: The n validation images.
            truth: (n,) int64 columns of their classes.
        """
        if not self._head.votes:
            return Found(Setting(), self.accuracy(queries, truth, Setting()), 1)
        return search(self.blocks(queries, truth), PUBLISHED_GRID)

    def accuracy(self, queries: ImageEmbeddings, truth: Tensor, setting: Setting) -> float:
        """Accuracy with a setting, as a fraction.

        Args:
            queries: The n test images.
            truth: (n,) int64 columns of their classes.
            setting: α, β and γ.
        """
        correct = sum(
            block.correct(setting.alpha, setting.beta, setting.gamma)
            for block in self.blocks(queries, truth)
        )
        return correct / len(truth)

    def blocks(self, queries: ImageEmbeddings, truth: Tensor) -> Iterator[Block]:
        """The terms of n queries, in blocks of rows that fit into memory.

        Args:
            queries: All that are asked together, as φ depends on them.
            truth: (n,) int64 columns of their classes.
        """
        head, support = self._head, self._support
        if not head.votes:
            support = support[:0]
        columns = self._columns[: len(support)]
        keys = getattr(support, head.view)
        known = log_signatures(support.frozen, self._texts) if head.signatures else None
        slope, offset = 0.0, 0.0
        if known is not None:
            slope, offset = self._rescaling(queries, keys, known)
        for rows in self._parts(len(queries)):
            zero_shot = self._logit_scale * queries.frozen[rows] @ self._texts.T
            affinity = getattr(queries, head.view)[rows] @ keys.T
            signatures = None
            if known is not None:
                m = divergences(log_signatures(queries.frozen[rows], self._texts), known)
                signatures = torch.zeros_like(zero_shot)
                signatures.index_add_(1, columns, -(slope * m + offset))
            yield Block(zero_shot, affinity, columns, signatures, truth[rows])

    def _rescaling(
        self, queries: ImageEmbeddings, keys: Tensor, known: Tensor
    ) -> tuple[float, float]:
        """Slope and offset of φ, which maps the range of M to that of the affinity.

        0 where M has no range, in which case the authors' code divides by zero.
        """
        ranges = []
        for rows in self._parts(len(queries)):
            m = divergences(log_signatures(queries.frozen[rows], self._texts), known)
            affinity = getattr(queries, self._head.view)[rows] @ keys.T
            ranges.append((*torch.aminmax(m), *torch.aminmax(affinity)))
        m_low, m_high, a_low, a_high = torch.tensor(ranges).T
        width = float(m_high.max() - m_low.min())
        if width <= 0:
            return 0.0, 0.0
        slope = float(a_high.max() - a_low.min()) / width
        return slope, float(a_low.min()) - slope * float(m_low.min())

    def _parts(self, n: int) -> Iterator[slice]:
        step = max(1, _AT_A_TIME // max(len(self._support), len(self._texts), 1))
        return (slice(start, min(start + step, n)) for start in range(0, n, step))
