"""Predictions for any number of queries, in blocks that fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ImageEmbeddings

# Queries classified at a time: a head may need several matrices of this many rows and as many
# columns as there are support images.
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions for n queries, as far as metrics need them.

    See :class:`adapters.classifier.Answers`.

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


def predict(classifier: FewShotClassifier, queries: ImageEmbeddings) -> Predictions:
    """Predictions for n queries, at least one."""
    blocks = [
        classifier.answer(queries[start : start + _BLOCK], n_matches=0)
        for start in range(0, len(queries), _BLOCK)
    ]
    return Predictions(
        torch.cat([block.probabilities for block in blocks]),
        _concatenated([block.ood_scores for block in blocks]),
        torch.cat([block.known for block in blocks]),
        _concatenated([block.prediction_sets for block in blocks]),
    )


def _concatenated(parts: Sequence[Tensor | None]) -> Tensor | None:
    """One tensor of all parts; None where there are none: all have one, or none has."""
    tensors = [part for part in parts if part is not None]
    return torch.cat(tensors) if tensors else None
