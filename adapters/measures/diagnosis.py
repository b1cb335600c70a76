"""Diagnosis of two embeddings: all measures of labelled images, before and after correction."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from adapters.measures.alignment import alignment, relative_alignment
from adapters.measures.modality_gap import modality_gap
from adapters.measures.neighbours import Neighbours, neighbours
from adapters.measures.overlap import Overlap, overlap
from adapters.measures.similarity import MeanSimilarity, mean_similarity
from adapters.measures.uniformity import uniformity
from adapters.measures.variance import total_variance


@dataclass(frozen=True, slots=True)
class AgainstTexts:
    """Images against the text of their class.

    Attributes:
        alignment: Mean squared distance of an image to its text.
        relative_alignment: The same, less the squared distance to the nearest other text.
        modality_gap: Distance of the mean image to the mean text, a text counting once for each
            of its images.
        uniformity: Of the images and the texts together, each text once.
    """

    alignment: float
    relative_alignment: float
    modality_gap: float
    uniformity: float

    @classmethod
    def of(cls, images: Tensor, texts: Tensor, own: Tensor) -> AgainstTexts:
        """Measure (n, d) images against (N, d) texts; ``own`` is the (n,) row of each's text."""
        return cls(
            alignment(images, texts, own),
            relative_alignment(images, texts, own),
            modality_gap(images, texts[own]),
            uniformity(torch.cat([images, texts])) if len(images) else nan,
        )


@dataclass(frozen=True, slots=True)
class EmbeddingMeasures:
    """All measures of one of the embeddings; nan for what takes more images than there are.

    Attributes:
        overlap: Histograms of similarities within classes and across them, of at most
            ``adapters.measures.overlap.MAX_IMAGES`` images. All else is of all images.
        similarity: The means of these similarities.
        neighbours: Whether the nearest other image has the same class.
        uniformity: Of the images.
        variance: Total feature variance of the images.
        texts: Against the texts; None where there are none, or none to compare with.
    """

    overlap: Overlap
    similarity: MeanSimilarity
    neighbours: Neighbours
    uniformity: float
    variance: float
    texts: AgainstTexts | None

    @classmethod
    def of(cls, images: Tensor, labels: Tensor, texts: Tensor | None) -> EmbeddingMeasures:
        """Measure (n, d) images with (n,) labels, which are rows of the (N, d) texts if any."""
        return cls(
            overlap(images, labels),
            mean_similarity(images, labels),
            neighbours(images, labels),
            uniformity(images),
            total_variance(images),
            None if texts is None else AgainstTexts.of(images, texts, labels),
        )


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The same images before and after the correction.

    Attributes:
        frozen: The embedding of the frozen encoder.
        corrected: The embedding after the correction; the same object where there is none.
        joint: Whether both live in one space, that of the texts.
    """

    frozen: EmbeddingMeasures
    corrected: EmbeddingMeasures
    joint: bool

    @property
    def is_corrected(self) -> bool:
        """Whether there are two embeddings at all."""
        return self.frozen is not self.corrected

    @property
    def gained(self) -> int:
        """Images whose nearest other image has their class after the correction alone."""
        return int((self.corrected.neighbours.right & ~self.frozen.neighbours.right).sum())

    @property
    def lost(self) -> int:
        """Images whose nearest other image has their class before the correction alone."""
        return int((self.frozen.neighbours.right & ~self.corrected.neighbours.right).sum())


def diagnose(
    embeddings: ImageEmbeddings, labels: Tensor, texts: Tensor | None, *, joint: bool
) -> Diagnosis:
    """Measure both embeddings of n images.

    Args:
        embeddings: (n, d) frozen and (n, d') corrected unit vectors.
        labels: (n,) int64 class of each; row of ``texts`` where there are texts.
        texts: (N, d) unit embeddings of the class names; None if they carry no meaning.
        joint: Whether the corrected embedding may be compared with texts, too; d' is d then. See
            :attr:`adapters.corrections.Correction.joint`.

    Cost: n² · (d + d'), in blocks of a few million similarities.
    """
    frozen = EmbeddingMeasures.of(embeddings.frozen, labels, texts)
    if torch.equal(embeddings.frozen, embeddings.corrected):
        return Diagnosis(frozen, frozen, joint=True)
    corrected = EmbeddingMeasures.of(embeddings.corrected, labels, texts if joint else None)
    return Diagnosis(frozen, corrected, joint)
