"""Draws of support images and queries, K shots a class, with held-out classes where asked for."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from service.datasets.dataset import Dataset, DatasetError, Example
from service.datasets.features import Features
from service.evaluation.suggested_draws import pool, suggested
from service.name_validation import NOT_THESE


@dataclass(frozen=True, slots=True)
class Draw:
    """Draw of support images with its queries.

    Attributes:
        shots: Support images a class; a class with fewer training images gave all of them.
        seed: Of the draw.
        classes: The N classes to choose from.
        support: The support set.
        queries: Embeddings of the n test images of these classes.
        truth: (n,) int64 columns of their classes.
        unknown: Embeddings of the m test images of held-out classes, and of those like the
            negatives; m may be 0.
        negatives: Explicit negatives, as many as shots of a class; None where there are none.
    """

    shots: int
    seed: int
    classes: ClassSet
    support: SupportSet
    queries: ImageEmbeddings
    truth: Tensor
    unknown: ImageEmbeddings
    negatives: SupportSet | None = None


@dataclass(frozen=True, slots=True)
class Draws:
    """Draws of an evaluation.

    Attributes:
        dataset: Where the images are; a class ``not-these`` holds explicit negatives.
        shots: Numbers of support images a class.
        seeds: One draw each, at each number of shots.
        leave_classes_out: Share of the classes to hold out of each draw; None: none.
        suggested: Whether support images are suggested (:mod:`service.evaluation.suggested_draws`)
            in place of random; explicit negatives are random.
    """

    dataset: Dataset
    shots: Sequence[int]
    seeds: Sequence[int]
    leave_classes_out: float | None = None
    suggested: bool = False

    def __len__(self) -> int:
        return len(self.shots) * len(self.seeds)

    def files(self) -> list[Path]:
        """Files of all draws, and of all queries.

        Raises:
            DatasetError: There are too few classes to hold any out.
        """
        # The largest draw of a seed contains the others.
        return [*self.support_files(), *self.queries()]

    def queries(self) -> list[Path]:
        """Files of all queries."""
        return [example.path for example in self.dataset.queries]

    def support_files(self) -> list[Path]:
        """Files of the support images of all draws, and of those that are chosen from.

        Raises:
            DatasetError: There are too few classes to hold any out.
        """
        most = max(self.shots)
        drawn: list[Example] = []
        for seed in self.seeds:
            known = self._split(seed)[0]
            drawn += pool(known, seed) if self.suggested else known.draw(most, seed)
            drawn += self._others.draw(most, seed)
        return [example.path for example in drawn]

    def embedded(
        self, features: Features, texts: Tensor | None, views: Features | None = None
    ) -> Iterator[Draw]:
        """Draws with their embeddings, by shots and then by seed.

        Args:
            features: Embeddings of all files.
            texts: Text embeddings of all classes of the data set, in their order.
            views: Embeddings of the support images in these draws; those of ``features`` if None.
        """
        of_support = features if views is None else views
        column = {label: i for i, label in enumerate(self.dataset.labels)}

        def columns(examples: Sequence[Example]) -> Tensor:
            return torch.tensor([column[example.label] for example in examples])

        def embeddings(examples: Sequence[Example]) -> ImageEmbeddings:
            return features.of([example.path for example in examples])

        for shots in self.shots:
            for seed in self.seeds:
                known, unknown = self._split(seed)
                if self.suggested:
                    drawn = suggested(known, shots, seed, of_support)
                else:
                    drawn = known.draw(shots, seed)
                ids = torch.tensor([column[label] for label in known.labels])
                classes = ClassSet(ids, None if texts is None else texts[ids])
                support = SupportSet(
                    torch.arange(len(drawn)),
                    columns(drawn),
                    of_support.of([example.path for example in drawn]),
                )
                queries = embeddings(known.queries)
                others = self._others.draw(shots, seed)
                negatives = None
                if others:
                    ids_of_others = torch.arange(len(drawn), len(drawn) + len(others))
                    rows = of_support.of([example.path for example in others])
                    negatives = SupportSet(ids_of_others, columns(others), rows)
                yield Draw(
                    shots,
                    seed,
                    classes,
                    support,
                    queries,
                    classes.columns(columns(known.queries)),
                    embeddings(unknown) if unknown else queries[:0],
                    negatives,
                )

    def _split(self, seed: int) -> tuple[Dataset, list[Example]]:
        strangers = self._others.queries
        classes = self.dataset.only(set(self.dataset.labels) - {NOT_THESE})
        if self.leave_classes_out is None:
            return classes, strangers
        known, unknown = hold_out(classes, self.leave_classes_out, seed)
        return known, [*unknown, *strangers]

    @property
    def _others(self) -> Dataset:
        """The explicit negatives, and test images like them."""
        return self.dataset.only({NOT_THESE})


def hold_out(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, list[Example]]:
    """Held-out classes: split a data set into classes to learn and test images of the others.

    The classes held out are drawn among those with test images: ``share`` of them, rounded,
    but at least one, and never so many that fewer than two classes, or no test image, are left.

    Args:
        dataset: All classes.
        share: Between 0 and 1.
        seed: Decides which classes; one seed holds out the same ones at any number of shots.

    Returns:
        The data set of the classes to learn, and the queries that belong to none of them.

    Raises:
        DatasetError: There are too few classes.
    """
    tested = [label for label in dataset.labels if dataset.test[label]]
    most = min(len(tested) - 1, len(dataset.labels) - 2)
    if most < 1:
        raise DatasetError(
            f"holding classes out of {dataset.name} takes at least three classes, two of them "
            f"with test images; there are {len(dataset.labels)}, {len(tested)} of them with test "
            "images. Add classes, or leave out --leave-classes-out."
        )
    count = min(max(round(share * len(tested)), 1), most)
    order = random.Random(f"{seed}/held out")  # noqa: S311 - not a secret
    left_out = set(order.sample(tested, count))
    return dataset.only(set(dataset.labels) - left_out), dataset.only(left_out).queries
