"""The two embeddings of an image, and the support set made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from adapters.kernel_ridge import KernelRidge
from adapters.memory import Storages, storages
from adapters.rest import Rest, no_rest
from adapters.scatter import Scatter
from adapters.span import Span

#: One of the two embeddings of an image.
View = Literal["frozen", "corrected"]


@dataclass(frozen=True, slots=True)
class ImageEmbeddings:
    """Both embeddings of n images, row by row; all rows are unit vectors.

    Attributes:
        frozen: (n, d) embedding of the frozen CLIP encoder, comparable with texts.
        corrected: (n, d') embedding with less intra-modal overlap, for comparing images
            with images. d' may differ from d.
        as_queries: (n, d') corrected embeddings that the images have as queries, where those above
            are averages of support views; NaN in the rows of which it is not known. None where an
            image is embedded as a query is. Thresholds need it; heads and caches do not keep it.
    """

    frozen: Tensor
    corrected: Tensor
    as_queries: Tensor | None = None

    def __len__(self) -> int:
        return self.frozen.shape[0]

    def __getitem__(self, rows: Tensor | slice) -> ImageEmbeddings:
        asked = None if self.as_queries is None else self.as_queries[rows]
        return ImageEmbeddings(self.frozen[rows], self.corrected[rows], asked)

    def as_averages(self) -> ImageEmbeddings:
        """The same, known to be averages of views and not what of; takes no memory."""
        nothing = self.corrected.new_full((1, 1), torch.nan).expand_as(self.corrected)
        return ImageEmbeddings(self.frozen, self.corrected, nothing)

    def storages(self) -> Storages:
        """What they hold in memory."""
        return storages(self.frozen, self.corrected, self.as_queries)

    @staticmethod
    def concatenate(parts: Sequence[ImageEmbeddings]) -> ImageEmbeddings:
        """Stack the rows of several blocks in their order; copies them once, a single one not."""
        if len(parts) == 1:
            return parts[0]
        return ImageEmbeddings(
            torch.cat([part.frozen for part in parts]),
            torch.cat([part.corrected for part in parts]),
            None
            if all(part.as_queries is None for part in parts)
            else torch.cat(
                [part.corrected if part.as_queries is None else part.as_queries for part in parts]
            ),
        )


@dataclass(frozen=True, slots=True)
class ClassSet:
    """The N classes of a classifier, in the order of the columns of its logits.

    Attributes:
        ids: (N,) int64 identifiers, unique; support labels refer to these.
        texts: (N, d) unit text embeddings of the class names, W in the papers; None where
            the names carry no meaning, which leaves out the zero-shot term.
    """

    ids: Tensor
    texts: Tensor | None

    def __len__(self) -> int:
        return self.ids.shape[0]

    def storages(self) -> Storages:
        """What they hold in memory."""
        return storages(self.ids, self.texts)

    def columns(self, labels: Tensor) -> Tensor:
        """Return the column of each class identifier in ``labels`` (any shape).

        Raises:
            KeyError: A label is not one of the classes.
        """
        order = torch.argsort(self.ids)
        position = torch.searchsorted(self.ids[order], labels).clamp_(max=max(len(self) - 1, 0))
        columns = order[position] if len(self) else position
        if labels.numel() and (not len(self) or not torch.equal(self.ids[columns], labels)):
            raise KeyError("a support label is not among the classes")
        return columns

    def have_images(self, labels: Tensor) -> Tensor:
        """(N,) bool: whether each class is among the ``labels`` of images."""
        used = set(labels.tolist())  # a tenth of what torch.isin takes, and linear too
        have = [i in used for i in self.ids.tolist()]
        return torch.tensor(have, dtype=torch.bool, device=self.ids.device)

    def with_images(self, labels: Tensor) -> ClassSet:
        """Return the classes, in the same order, that are among the ``labels`` of images."""
        used = self.have_images(labels)
        return ClassSet(self.ids[used], None if self.texts is None else self.texts[used])


@dataclass(frozen=True)
class LabelledEmbeddings:
    """n labelled images without identifiers: what is tuned on and fitted to.

    Attributes:
        labels: (n,) int64 class identifiers.
        embeddings: Both embeddings of the n images.

    Keeps the spans, scatters and ridge regressions that it was asked for, each found once for all
    who fit to the same images: for as long as a fit lasts, not for as long as a classifier does.
    """

    labels: Tensor
    embeddings: ImageEmbeddings
    _spans: dict[View, Span] = field(default_factory=dict, init=False, repr=False, compare=False)
    _scatters: dict[View, Scatter] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _ridges: dict[View, tuple[Tensor, KernelRidge]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __len__(self) -> int:
        return self.labels.shape[0]

    def __getitem__(self, rows: Tensor | slice) -> LabelledEmbeddings:
        return LabelledEmbeddings(self.labels[rows], self.embeddings[rows])

    def known_as(self, labels: Tensor) -> LabelledEmbeddings:
        """The same images with other class identifiers, and all that was found of them so far.

        Args:
            labels: (n,) int64.
        """
        after = LabelledEmbeddings(labels, self.embeddings)
        after._spans.update(self._spans)
        after._scatters.update(self._scatters)
        after._ridges.update(self._ridges)
        return after

    def with_added(self, other: LabelledEmbeddings) -> LabelledEmbeddings:
        """Return these followed by ``other``; costs one copy of both."""
        return LabelledEmbeddings(
            torch.cat([self.labels, other.labels]),
            ImageEmbeddings.concatenate([self.embeddings, other.embeddings]),
        )

    def span(self, view: View, rest: Rest = no_rest) -> Span:
        """The span of one of the embeddings; at least one image."""
        if self.embeddings.corrected is self.embeddings.frozen:
            view = "frozen"
        if view not in self._spans:
            self._spans[view] = Span.of(getattr(self.embeddings, view), rest)
        return self._spans[view]

    def scatter(self, view: View, columns: Tensor, n_classes: int, rest: Rest = no_rest) -> Scatter:
        """The classes' means and scatter in one of the embeddings; at least one image.

        Args:
            view: The embedding.
            columns: (n,) int64 column of each image's class; all N classes have images.
            n_classes: N.
            rest: Called every few milliseconds.
        """
        span = self.span(view, rest)
        found = self._scatters.get(view)
        if found is None or not np.array_equal(found.columns, columns.numpy()):
            found = self._scatters[view] = Scatter.of(span, columns, n_classes, rest)
        return found

    def ridge(
        self, view: View, columns: Tensor, n_classes: int, rest: Rest = no_rest
    ) -> KernelRidge:
        """Kernel ridge regression on one of the embeddings; at least one image.

        It knows classes by their columns, and images by their places. Arguments as of
        :meth:`scatter`.
        """
        fitted_to, found = self._ridges.get(view, (None, None))
        if found is None or fitted_to is None or not torch.equal(fitted_to, columns):
            images, classes = getattr(self.embeddings, view), torch.arange(n_classes)
            places = torch.arange(len(self))
            found = KernelRidge.fit(images, columns, classes, places, rest)
            self._ridges[view] = columns, found
        return found


@dataclass(frozen=True, slots=True)
class SupportSet:
    """The n labelled support images of a classifier, by identifier.

    Attributes:
        ids: (n,) int64 identifiers of the images, unique.
        labels: (n,) int64 class identifiers.
        embeddings: Both embeddings of the n images.
    """

    ids: Tensor
    labels: Tensor
    embeddings: ImageEmbeddings

    def __len__(self) -> int:
        return self.ids.shape[0]

    def __getitem__(self, rows: Tensor | slice) -> SupportSet:
        return SupportSet(self.ids[rows], self.labels[rows], self.embeddings[rows])

    @property
    def labelled(self) -> LabelledEmbeddings:
        """The images without their identifiers; copies nothing."""
        return LabelledEmbeddings(self.labels, self.embeddings)

    def storages(self) -> Storages:
        """What it holds in memory."""
        return {**storages(self.ids, self.labels), **self.embeddings.storages()}

    def with_added(self, other: SupportSet) -> SupportSet:
        """Return this set followed by ``other``; costs one copy of both."""
        return SupportSet(
            torch.cat([self.ids, other.ids]),
            torch.cat([self.labels, other.labels]),
            ImageEmbeddings.concatenate([self.embeddings, other.embeddings]),
        )

    def without(self, ids: Tensor) -> SupportSet:
        """Return this set less the images in ``ids``; costs one copy of what stays."""
        return self[~torch.isin(self.ids, ids)]

    @staticmethod
    def empty(width: int, corrected_width: int) -> SupportSet:
        """Return a set of no images with embeddings of the given widths."""
        none = torch.empty(0, dtype=torch.int64)
        return SupportSet(
            none,
            none.clone(),
            ImageEmbeddings(torch.empty(0, width), torch.empty(0, corrected_width)),
        )
