"""Answers to any number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ImageEmbeddings

# Queries answered at a time: a head may need several matrices of this many rows and as many
# columns as there are support images.
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Answered:
    """What is measured of the answers to n queries; see :class:`adapters.classifier.Answers`.

    Attributes:
        probabilities: (n, N).
        familiarity: (n,), or None.
        known: (n,) bool.
        prediction_sets: (n, N) bool, or None.
    """

    probabilities: Tensor
    familiarity: Tensor | None
    known: Tensor
    prediction_sets: Tensor | None


def answer(classifier: FewShotClassifier, queries: ImageEmbeddings) -> Answered:
    """Answer n queries, at least one, in blocks that fit into memory."""
    blocks = [
        classifier.answer(queries[start : start + _BLOCK], n_matches=0)
        for start in range(0, len(queries), _BLOCK)
    ]
    return Answered(
        torch.cat([block.probabilities for block in blocks]),
        _joined([block.ood_scores for block in blocks]),
        torch.cat([block.known for block in blocks]),
        _joined([block.prediction_sets for block in blocks]),
    )


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    """The parts as one; None where there are none, which is so for all of them or for none."""
    given = [part for part in parts if part is not None]
    return torch.cat(given) if given else None
