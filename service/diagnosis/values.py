"""Measures as the values of a JSON document."""

from __future__ import annotations

from math import isnan

from adapters.measures.diagnosis import AgainstTexts, Diagnosis, EmbeddingMeasures
from adapters.measures.overlap import BINS, Overlap
from service.diagnosis.schemas import (
    AgainstTextsOut,
    EmbeddingOut,
    MeasuresOut,
    OverlapOut,
    OverlapsOut,
    SimilarityBin,
)


def overlaps_of(diagnosis: Diagnosis) -> OverlapsOut:
    """The overlap with its histograms, before and after."""
    return OverlapsOut(
        frozen=_overlap(diagnosis.frozen.overlap), corrected=_overlap(diagnosis.corrected.overlap)
    )


def measures_of(diagnosis: Diagnosis) -> MeasuresOut:
    """All other measures, before and after."""
    return MeasuresOut(
        is_corrected=diagnosis.is_corrected,
        same_space=diagnosis.joint,
        n_judged=int(diagnosis.frozen.neighbours.judged.sum()),
        gained=diagnosis.gained,
        lost=diagnosis.lost,
        frozen=_embedding(diagnosis.frozen),
        corrected=_embedding(diagnosis.corrected),
    )


def _embedding(measured: EmbeddingMeasures) -> EmbeddingOut:
    return EmbeddingOut(
        neighbour_accuracy=_known(measured.neighbours.accuracy),
        paired_similarity=_known(measured.similarity.paired),
        unpaired_similarity=_known(measured.similarity.unpaired),
        uniformity=_known(measured.uniformity),
        variance=_known(measured.variance),
        texts=None if measured.texts is None else _texts(measured.texts),
    )


def _texts(against: AgainstTexts) -> AgainstTextsOut:
    return AgainstTextsOut(
        alignment=_known(against.alignment),
        relative_alignment=_known(against.relative_alignment),
        modality_gap=_known(against.modality_gap),
        uniformity=_known(against.uniformity),
    )


def _overlap(counted: Overlap) -> OverlapOut:
    paired, unpaired = (
        shares.nan_to_num().tolist() for shares in (counted.paired_shares, counted.unpaired_shares)
    )
    width = 2 / BINS
    return OverlapOut(
        overlap=_known(counted.area),
        n_paired=int(counted.paired.sum()),
        n_unpaired=int(counted.unpaired.sum()),
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


def _known(value: float) -> float | None:
    """JSON has no nan."""
    return None if isnan(value) else value
