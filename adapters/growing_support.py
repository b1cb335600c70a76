"""A support set that grows and shrinks without being copied."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from adapters.cache.flat_rows import FlatRows
from adapters.change import Change
from adapters.embeddings import ImageEmbeddings, SupportSet, View
from adapters.memory import Storages, storages
from adapters.running_gaussians import Moves
from adapters.span import features

# Share of the rows that may belong to images that are gone, before the others move together.
_MOST_GONE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowingSupport:
    """A support set as a persistent value: a change makes another one, which shares its rows.

    Images that are added lie behind the others, in memory that both values share; those that are
    removed leave tombstones. So whoever holds a value sees it unchanged for ever, at no cost.

    Attributes:
        ids: (m,) int64 identifiers of all rows, in the order in which they came.
        labels: (m,) int64 class identifiers.
        frozen: (m, d) rows.
        corrected: (m, d') rows; the same object where nothing is corrected.
        gone: (m,) bool, the tombstones; None where there are none.
    """

    ids: Tensor
    labels: Tensor
    frozen: FlatRows
    corrected: FlatRows
    gone: Tensor | None = None

    @staticmethod
    def of(support: SupportSet) -> GrowingSupport:
        """Begin with the images of a support set, whose embeddings are not copied."""
        frozen = FlatRows.of(support.embeddings.frozen)
        same = support.embeddings.corrected is support.embeddings.frozen
        return GrowingSupport(
            ids=support.ids,
            labels=support.labels,
            frozen=frozen,
            corrected=frozen if same else FlatRows.of(support.embeddings.corrected),
        )

    def __len__(self) -> int:
        return len(self.ids) if self.gone is None else len(self.ids) - int(self.gone.sum())

    @property
    def is_sparse(self) -> bool:
        """Whether so many rows are of images that are gone that the others should move together."""
        return len(self) < (1 - _MOST_GONE) * len(self.ids)

    def present_labels(self) -> Tensor:
        """(n,) class identifiers of the images, in the order in which they came."""
        return self.labels if self.gone is None else self.labels[~self.gone]

    def present_ids(self) -> Tensor:
        """(n,) identifiers of the images, in the same order."""
        return self.ids if self.gone is None else self.ids[~self.gone]

    def compact(self) -> SupportSet:
        """The images alone; copies them only where some are gone."""
        every = self._every()
        return every if self.gone is None else every[~self.gone]

    def find(self, ids: Tensor) -> Tensor:
        """(m,) rows of images by their identifiers; O(n).

        Raises:
            KeyError: One is not stored.
        """
        rows = self._holding(ids).nonzero().flatten()
        if len(rows) < len(set(ids.tolist())):
            raise KeyError("not in the support set")
        return rows

    def rows(self, at: Tensor) -> SupportSet:
        """The images in these rows, copied."""
        return self._every()[at]

    def _every(self) -> SupportSet:
        """All rows, those of images that are gone among them; copies nothing."""
        frozen = self.frozen.rows
        same = self.corrected is self.frozen
        embeddings = ImageEmbeddings(frozen, frozen if same else self.corrected.rows)
        return SupportSet(self.ids, self.labels, embeddings)

    def _holding(self, ids: Tensor) -> Tensor:
        """(rows,) bool: which hold an image with one of these identifiers."""
        found = torch.isin(self.ids, ids)
        return found if self.gone is None else found & ~self.gone

    def changed(self, change: Change) -> GrowingSupport:
        """The support set after a change; O(n) for masks, and a copy of what is added.

        Raises:
            KeyError: An identifier in ``removed`` is not stored.
            ValueError: An identifier in ``added`` is taken.
        """
        after = self
        if change.removed is not None and len(change.removed):
            rows = self.find(change.removed)
            gone = self.ids.new_zeros(len(self.ids), dtype=torch.bool)
            if self.gone is not None:
                gone |= self.gone
            gone[rows] = True
            after = replace(after, gone=gone)
        if change.added is not None and len(change.added):
            after = after._with(change.added)
        return after

    def _with(self, added: SupportSet) -> GrowingSupport:
        if bool(self._holding(added.ids).any()):
            raise ValueError("an identifier is already in the support set")
        frozen = self.frozen.append(added.embeddings.frozen)
        same = self.corrected is self.frozen
        return GrowingSupport(
            ids=torch.cat([self.ids, added.ids]),
            labels=torch.cat([self.labels, added.labels]),
            frozen=frozen,
            corrected=frozen if same else self.corrected.append(added.embeddings.corrected),
            gone=None
            if self.gone is None
            else torch.cat([self.gone, self.gone.new_zeros(len(added))]),
        )

    def storages(self) -> Storages:
        """What it holds in memory."""
        return {
            **storages(self.ids, self.labels, self.gone),
            **self.frozen.storages(),
            **self.corrected.storages(),
        }


def moves(before: GrowingSupport, change: Change, view: View, skewed: bool) -> Moves:
    """What a change of a support set moves, as Gaussians of one of the embeddings see it.

    Args:
        before: The support set before the change.
        change: Of it.
        view: The embedding.
        skewed: Whether square roots are taken of its components (:func:`adapters.span.features`).
    """
    none = before.labels.new_empty(0)
    at = none if change.removed is None else before.find(change.removed)
    rows: FlatRows = getattr(before, view)
    removed = rows.rows[at]
    added = removed.new_empty(0, removed.shape[1])
    added_labels = none
    if change.added is not None:
        added, added_labels = getattr(change.added.embeddings, view), change.added.labels
    return Moves(
        removed=features(removed, skewed),
        removed_labels=before.labels[at],
        added=features(added, skewed),
        added_labels=added_labels,
    )
