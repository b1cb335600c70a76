"""Embedding measures as JSON: part of a report, and of what ``handful diagnose`` writes.

JSON has no nan: what cannot be computed is null.
"""

from __future__ import annotations

from math import isnan
from typing import Self

from pydantic import BaseModel, Field

from adapters.measures.diagnosis import AgainstTexts, Diagnosis, Measured
from adapters.measures.overlap import BINS, Overlap


class SimilarityBin(BaseModel):
    """Pairs of images that are about as alike."""

    low: float = Field(description="Cosine similarity where the interval begins.")
    high: float = Field(description="And where it ends.")
    paired: float = Field(description="Share of all same-class pairs.")
    unpaired: float = Field(description="Share of all different-class pairs.")


class OverlapOut(BaseModel):
    """How alike pairs of images of the same class and of different classes are."""

    overlap: float | None = Field(
        description="Area under both histograms, the sum of the smaller shares. 0: likeness tells"
        " all about the class, 1: nothing; null: no two images share a class, or all do."
    )
    n_paired: int = Field(description="Pairs of images of the same class.")
    n_unpaired: int = Field(description="Pairs of images of different classes.")
    bins: list[SimilarityBin] = Field(
        description="Of 200 equal intervals from -1 to 1 those that are not empty."
    )

    @classmethod
    def of(cls, overlap: Overlap) -> Self:
        """Intra-modal overlap with the intervals of its histograms that are not empty."""
        paired, unpaired = (
            shares.nan_to_num().tolist()
            for shares in (overlap.paired_shares, overlap.unpaired_shares)
        )
        width = 2 / BINS
        return cls(
            overlap=_without_nan(overlap.area),
            n_paired=int(overlap.paired.sum()),
            n_unpaired=int(overlap.unpaired.sum()),
            bins=[
                SimilarityBin(
                    low=round(i * width - 1, 6),
                    high=round((i + 1) * width - 1, 6),
                    paired=paired[i],
                    unpaired=unpaired[i],
                )
                for i in range(BINS)
                if paired[i] or unpaired[i]
            ],
        )


class OverlapsOut(BaseModel):
    """Intra-modal overlap of both embeddings of the images."""

    frozen: OverlapOut = Field(description="Of the embedding that is compared with texts.")
    corrected: OverlapOut = Field(description="Of the embedding that images are compared by.")

    @classmethod
    def of(cls, diagnosis: Diagnosis) -> Self:
        """Intra-modal overlap before and after the correction."""
        return cls(
            frozen=OverlapOut.of(diagnosis.frozen.overlap),
            corrected=OverlapOut.of(diagnosis.corrected.overlap),
        )


class AgainstTextsOut(BaseModel):
    """Images against the names of their classes; distances are those of unit vectors."""

    alignment: float | None = Field(
        description="Mean squared distance of an image to the name of its class, 0 to 4. Lower is"
        " better."
    )
    relative_alignment: float | None = Field(
        description="The same, less the squared distance to the nearest other name. Below 0: the"
        " own name is nearer; lower is better. null: there is one name only."
    )
    modality_gap: float | None = Field(
        description="Distance of the mean image to the mean name, 0 to 2; each name counts once"
        " for each of its images."
    )
    uniformity: float | None = Field(
        description="Of images and names together. Lower is more evenly spread."
    )

    @classmethod
    def of(cls, measures: AgainstTexts) -> Self:
        """Alignment, modality gap and uniformity of one embedding against the class names."""
        return cls(
            alignment=_without_nan(measures.alignment),
            relative_alignment=_without_nan(measures.relative_alignment),
            modality_gap=_without_nan(measures.modality_gap),
            uniformity=_without_nan(measures.uniformity),
        )


class EmbeddingOut(BaseModel):
    """What one embedding of the images is like; null for what takes more images than there are."""

    neighbour_accuracy: float | None = Field(
        description="Share of the images whose most similar other image has their class. Higher"
        " is better."
    )
    paired_similarity: float | None = Field(
        description="Mean cosine similarity of two images of one class."
    )
    unpaired_similarity: float | None = Field(
        description="Mean cosine similarity of two images of different classes."
    )
    uniformity: float | None = Field(
        description="Logarithm of the mean of exp(-2 · squared distance) over all pairs of images,"
        " -8 to 0. Lower is more evenly spread."
    )
    variance: float | None = Field(
        description="Total feature variance: mean squared distance to the mean image, 0 to 1."
        " Higher tells images further apart."
    )
    texts: AgainstTextsOut | None = Field(
        description="null: names carry no meaning, or the corrected embedding does not live in the"
        " space of the texts."
    )

    @classmethod
    def of(cls, measures: Measured) -> Self:
        """All measures of one embedding but the overlap."""
        return cls(
            neighbour_accuracy=_without_nan(measures.neighbours.accuracy),
            paired_similarity=_without_nan(measures.similarity.paired),
            unpaired_similarity=_without_nan(measures.similarity.unpaired),
            uniformity=_without_nan(measures.uniformity),
            variance=_without_nan(measures.variance),
            texts=None if measures.texts is None else AgainstTextsOut.of(measures.texts),
        )


class MeasuresOut(BaseModel):
    """Both embeddings of the images: before the correction, and after it."""

    is_corrected: bool = Field(
        description="Whether there are two embeddings; a backbone without a correction has one."
    )
    same_space: bool = Field(
        description="Whether both live in the space of the class names. If not, only overlap and"
        " `neighbour_accuracy` can be compared between them."
    )
    n_judged: int = Field(
        description="Images that have another one of their class, so that the nearest can be right."
    )
    gained: int = Field(
        description="Of these, how many have a nearest image of their class in `corrected` alone."
    )
    lost: int = Field(description="And how many have one in `frozen` alone.")
    frozen: EmbeddingOut = Field(description="Before: the embedding that is compared with texts.")
    corrected: EmbeddingOut = Field(description="After: the embedding that images are compared by.")

    @classmethod
    def of(cls, diagnosis: Diagnosis) -> Self:
        """All measures but the overlap, before and after the correction."""
        return cls(
            is_corrected=diagnosis.is_corrected,
            same_space=diagnosis.joint,
            n_judged=int(diagnosis.frozen.neighbours.judged.sum()),
            gained=diagnosis.gained,
            lost=diagnosis.lost,
            frozen=EmbeddingOut.of(diagnosis.frozen),
            corrected=EmbeddingOut.of(diagnosis.corrected),
        )


def _without_nan(value: float) -> float | None:
    return None if isnan(value) else value
