"""Draws: which images support, which are asked about, and which are of unknown classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from service.evaluation.dataset import Dataset, Example
from service.evaluation.features import Features
from service.evaluation.held_out import hold_out


@dataclass(frozen=True, slots=True)
class Draw:
    """The support images and the queries of one draw.

    Attributes:
        shots: Support images a class; a class with fewer training images gave all of them.
        seed: Of the draw.
        classes: The N classes to choose from.
        support: The support set.
        queries: Embeddings of the n test images of these classes.
        truth: (n,) int64 columns of their classes.
        unknown: Embeddings of the m test images of held-out classes; m may be 0.
    """

    shots: int
    seed: int
    classes: ClassSet
    support: SupportSet
    queries: ImageEmbeddings
    truth: Tensor
    unknown: ImageEmbeddings


@dataclass(frozen=True, slots=True)
class Draws:
    """The draws of an evaluation.

    Attributes:
        dataset: Where the images are.
        shots: Numbers of support images a class.
        seeds: One draw each, at each number of shots.
        leave_classes_out: Share of the classes to hold out of each draw; None: none.
    """

    dataset: Dataset
    shots: Sequence[int]
    seeds: Sequence[int]
    leave_classes_out: float | None = None

    def __len__(self) -> int:
        return len(self.shots) * len(self.seeds)

    def files(self) -> list[Path]:
        """All files that take part.

        Raises:
            DatasetError: There are too few classes to hold any out.
        """
        # The largest draw of a seed contains the others.
        drawn = [
            example.path
            for seed in self.seeds
            for example in self._split(seed)[0].draw(max(self.shots), seed)
        ]
        return [*drawn, *(example.path for example in self.dataset.queries)]

    def embedded(self, features: Features, texts: Tensor | None) -> Iterator[Draw]:
        """Yield the draws, by shots and then by seed.

        Args:
            features: Embeddings of all files.
            texts: Text embeddings of all classes of the data set, in their order.
        """
        column = {label: i for i, label in enumerate(self.dataset.labels)}

        def columns(examples: Sequence[Example]) -> Tensor:
            return torch.tensor([column[example.label] for example in examples])

        def embeddings(examples: Sequence[Example]) -> ImageEmbeddings:
            return features.of([example.path for example in examples])

        for shots in self.shots:
            for seed in self.seeds:
                known, unknown = self._split(seed)
                drawn = known.draw(shots, seed)
                ids = torch.tensor([column[label] for label in known.labels])
                classes = ClassSet(ids, None if texts is None else texts[ids])
                support = SupportSet(torch.arange(len(drawn)), columns(drawn), embeddings(drawn))
                queries = embeddings(known.queries)
                yield Draw(
                    shots,
                    seed,
                    classes,
                    support,
                    queries,
                    classes.columns(columns(known.queries)),
                    embeddings(unknown) if unknown else queries[:0],
                )

    def _split(self, seed: int) -> tuple[Dataset, list[Example]]:
        if self.leave_classes_out is None:
            return self.dataset, []
        return hold_out(self.dataset, self.leave_classes_out, seed)
