"""Images with all their labels: what rows of a support set that are of one image have together."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings
from adapters.systematic_sampling import evenly


@dataclass(frozen=True, slots=True)
class MultiLabelImages:
    """m images, each once, with every label that it has.

    A support set has a row for each label of an image. Rows of the same embeddings, bit by bit,
    are of one image: whoever holds them embeds an image once.

    Attributes:
        embeddings: Both embeddings of the m images.
        targets: (m, N) bool: which of N classes each shows; none, for an explicit negative.
        image_of: (n,) int64 image of each row of the support set.
    """

    embeddings: ImageEmbeddings
    targets: Tensor
    image_of: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def single(self) -> Tensor:
        """(m,) bool: those of one label."""
        return self.targets.sum(dim=1) == 1

    def __getitem__(self, chosen: Tensor) -> MultiLabelImages:
        """Some of the images; rows of the others have the image -1."""
        place = torch.full((len(self),), -1)
        place[chosen] = torch.arange(len(chosen))
        return MultiLabelImages(self.embeddings[chosen], self.targets[chosen], place[self.image_of])

    @classmethod
    def of(
        cls,
        classes: ClassSet,
        images: LabelledEmbeddings,
        negatives: ImageEmbeddings | None = None,
    ) -> Self:
        """Put the rows of a support set together; O(n · d).

        Args:
            classes: The N classes, among which those of all rows are.
            images: The n rows.
            negatives: Images that show none of the classes.
        """
        columns = classes.columns(images.labels)
        every = images.embeddings
        if negatives is not None and len(negatives):
            every = ImageEmbeddings.concatenate([every, negatives])
        place: dict[bytes, int] = {}
        first: list[int] = []
        image_of = []
        for row, content in enumerate(every.corrected.cpu().numpy()):
            at = place.setdefault(content.tobytes(), len(first))
            if at == len(first):
                first.append(row)
            image_of.append(at)
        placed = torch.tensor(image_of, dtype=torch.int64)[: len(columns)]
        targets = torch.zeros(len(first), len(classes), dtype=torch.bool)
        targets[placed, columns] = True
        return cls(every[torch.tensor(first, dtype=torch.int64)], targets, placed)

    def at_most(self, most: int) -> Self | MultiLabelImages:
        """All images, or so many at most: of each class as many as of another, spread evenly.

        Where one a class is too many already, these are thinned evenly.

        Args:
            most: Images.
        """
        if len(self) <= most:
            return self
        rows, columns = self.targets.nonzero().T
        of_class = columns.bincount(minlength=self.targets.shape[1]).tolist()
        shown = [*rows[columns.argsort(stable=True)].split(of_class)]
        shown.append((~self.targets.any(dim=1)).nonzero().flatten())

        def chosen(quota: int) -> Tensor:
            some = torch.zeros(len(self), dtype=torch.bool)
            for rows in shown:
                some[rows[evenly(len(rows), quota)]] = True
            return some

        quota = bisect_right(range(1, most + 1), most, key=lambda q: int(chosen(q).sum()))
        found = chosen(max(quota, 1)).nonzero().flatten()
        return self[found[evenly(len(found), most)]]
