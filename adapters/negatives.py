"""Explicit negatives: images of what is to be answered with no class.

A query is the stranger the more it resembles them. The margin, how much more it resembles the
images of a class than any of them, is added to the out-of-distribution score, on the scale on which
both scatter over left-out support images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from adapters.cache import Matches
from adapters.embeddings import LabelledEmbeddings, SupportSet
from adapters.memory import Storages, storages
from adapters.rest import Rest, no_rest

# With so many negatives the margin counts half as much as the score that it is added to: few tell
# more of themselves than of what is unknown. Chosen by benchmarks/unknown.py.
_HALF = 8
# Rows of left-out images that are compared at a time.
_ROWS = 256


@dataclass(frozen=True, slots=True)
class Margin:
    """How much more queries resemble a class than a negative, as cosines; a value.

    They resemble a class as they do its images, on average: the cosine with their mean would be
    the higher the more there are, and so be lower for an image that is left out.

    Attributes:
        labels: (N,) int64 identifiers of the classes with images.
        shots: (N,) images of each.
        sums: (N, d') float64 sums of their corrected embeddings.
        negatives: (k, d') corrected embeddings of the negatives, at least one.
    """

    labels: Tensor
    shots: Tensor
    sums: Tensor
    negatives: Tensor

    @classmethod
    def of(cls, images: LabelledEmbeddings, negatives: SupportSet | None) -> Self | None:
        """Of support images; None without any of them, or without negatives.

        Args:
            images: Of the classes.
            negatives: The others; whatever their labels.
        """
        if negatives is None or not len(negatives) or not len(images):
            return None
        labels, columns, shots = torch.unique(
            images.labels, return_inverse=True, return_counts=True
        )
        corrected = images.embeddings.corrected
        sums = corrected.new_zeros(len(labels), corrected.shape[1], dtype=torch.float64)
        sums.index_add_(0, columns, corrected.double())
        return cls(labels, shots, sums, negatives.embeddings.corrected)

    def __call__(self, queries: Tensor) -> Tensor:
        """(m,) margins of (m, d') corrected embeddings, between −2 and 2."""
        means = self._means(queries)
        return (queries @ means.T).amax(dim=1) - (queries @ self.negatives.T).amax(dim=1)

    def left_out(self, images: LabelledEmbeddings, rows: Tensor, rest: Rest = no_rest) -> Tensor:
        """(v,) margins of images, as they are as queries, each left out of its class.

        Args:
            images: Those that it was made of.
            rows: (v,) the images, none alone in its class.
            rest: Called every few milliseconds.
        """
        found = []
        corrected, as_queries = images.embeddings.corrected, images.embeddings.as_queries
        for some in torch.split(rows, _ROWS):
            x = corrected[some] if as_queries is None else as_queries[some]
            columns = torch.searchsorted(self.labels, images.labels[some])
            near = x @ self._means(x).T
            others = self.sums[columns] - corrected[some].double()
            own = (x * others).sum(dim=1) / (self.shots[columns] - 1)
            near[torch.arange(len(x)), columns] = own.to(x.dtype)
            found.append(near.amax(dim=1) - (x @ self.negatives.T).amax(dim=1))
            rest()
        return torch.cat(found) if found else rows.new_empty(0, dtype=self.negatives.dtype)

    def weight(self, margins: Tensor, scores: Tensor) -> float:
        """What the margin is multiplied by before it is added to the score.

        Args:
            margins: (v,) of left-out images.
            scores: (v,) their out-of-distribution scores; at least two.
        """
        k = len(self.negatives)
        scale = float(scores.double().std()) / max(float(margins.double().std()), 1e-6)
        return k / (k + _HALF) * scale

    def moved(self, removed: LabelledEmbeddings | None, added: LabelledEmbeddings | None) -> Self:
        """The same after images of classes have left and joined; O(m · d') for m, and a copy.

        A class that has lost all its images is to be forgotten by :meth:`only`.
        """
        labels, shots, sums = self.labels, self.shots, self.sums
        for images, sign in ((removed, -1), (added, 1)):
            if images is None or not len(images):
                continue
            fresh = torch.unique(images.labels[~torch.isin(images.labels, labels)])
            if len(fresh):
                every = torch.cat([labels, fresh])
                order = every.argsort()
                shots = torch.cat([shots, torch.zeros_like(fresh)])[order]
                sums = torch.cat([sums, sums.new_zeros(len(fresh), sums.shape[1])])[order]
                labels = every[order]
            columns = torch.searchsorted(labels, images.labels)
            sums = sums.index_add(0, columns, images.embeddings.corrected.double(), alpha=sign)
            shots = shots.index_add(0, columns, torch.full_like(columns, sign))
        return replace(self, labels=labels, shots=shots, sums=sums)

    def only(self, labels: Tensor) -> Self:
        """The same of the classes among ``labels``, which have images."""
        kept = torch.isin(self.labels, labels)
        return replace(self, labels=self.labels[kept], shots=self.shots[kept], sums=self.sums[kept])

    def storages(self) -> Storages:
        """What it holds in memory."""
        return storages(self.labels, self.shots, self.sums, self.negatives)

    def _means(self, like: Tensor) -> Tensor:
        return (self.sums / self.shots.unsqueeze(1)).to(like.dtype)


def with_negatives(matches: Matches, queries: Tensor, negatives: SupportSet) -> Matches:
    """As many matches, the negatives that are nearer among them; none where there were none.

    Args:
        matches: Of n queries.
        queries: (n, d') their corrected embeddings.
        negatives: At least one.
    """
    k = matches.ids.shape[1]
    similarities = queries @ negatives.embeddings.corrected.T
    near = Matches.best(similarities, negatives.ids, negatives.labels, min(k, len(negatives)))
    every = torch.cat([matches.similarities, near.similarities], dim=1)
    best = every.topk(k, dim=1)
    return Matches(
        best.values,
        torch.cat([matches.ids, near.ids], dim=1).gather(1, best.indices),
        torch.cat([matches.labels, near.labels], dim=1).gather(1, best.indices),
    )
