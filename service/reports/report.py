"""Everything that a report says, as values."""

from __future__ import annotations

from collections import Counter

import torch

from adapters.measures.calibration import Calibration
from adapters.measures.diagnosis import diagnose
from service.diagnosis.values import measures_of, overlaps_of
from service.registry.snapshot import Snapshot
from service.reports.examined import Examined
from service.reports.images import Names, redundant, suspects
from service.reports.schemas import (
    CalibrationBin,
    CalibrationOut,
    ClassReport,
    Confusion,
    ConfusionMatrix,
    ExaminedOut,
    ReportOut,
    TuningOut,
)

#: Of the confidence. Few, for the few hundred votes of a report.
CALIBRATION_BINS = 10
#: Classes up to which the whole matrix is given.
MAX_MATRIX = 100
_MAX_CONFUSIONS = 1000


def report(snapshot: Snapshot, root_path: str = "") -> ReportOut:
    """Examine one state of a classifier.

    Costs one answer to each image and some products of the images with themselves, of at most
    4096 images. Holds no lock.

    Args:
        snapshot: The state.
        root_path: Where clients find the service, for the addresses of images.
    """
    examined = Examined.of(snapshot)
    names = Names.of(snapshot, root_path)
    classes, confusions, matrix = _classes(snapshot, examined, names)
    accuracies = [one.accuracy for one in classes if one.accuracy is not None]
    n_suspects, listed_suspects = suspects(examined, names)
    n_redundant, listed_copies = redundant(examined, names)
    diagnosis = diagnose(
        examined.support.embeddings,
        examined.columns,
        snapshot.classes.texts,
        joint=snapshot.joint,
    )
    tuning = snapshot.tuning
    return ReportOut(
        classifier=snapshot.name,
        n_classes=len(snapshot.records),
        n_images=len(snapshot.support),
        tuning=TuningOut(
            method=snapshot.method,
            head=tuning.head or snapshot.method,
            temperature=tuning.temperature,
            votes=tuning.votes,
            accuracy=tuning.accuracy,
        ),
        examined=ExaminedOut(
            images=len(examined.images),
            complete=len(examined.images) == len(snapshot.support),
            near_copies_left_out=len(examined.images) - len(examined.support),
            votes=len(examined.voters),
        ),
        accuracy=sum(accuracies) / len(accuracies) if accuracies else None,
        classes=classes,
        confusions=confusions,
        confusion_matrix=matrix,
        n_suspects=n_suspects,
        suspects=listed_suspects,
        n_redundant=n_redundant,
        redundant=listed_copies,
        overlap=overlaps_of(diagnosis),
        measures=measures_of(diagnosis),
        calibration=_calibration(examined),
    )


def _classes(
    snapshot: Snapshot, examined: Examined, names: Names
) -> tuple[list[ClassReport], list[Confusion], ConfusionMatrix | None]:
    """Every class, the pairs of classes that are confused, and the whole matrix if it is small."""
    labels = names.columns()
    named = Counter(
        (labels[own], labels[best])
        for own, best in zip(
            examined.columns[examined.voters].tolist(),
            examined.named[examined.voters].tolist() if len(examined.voters) else [],
            strict=True,
        )
    )
    votes: Counter[str] = Counter()
    confused: dict[str, str] = {}
    confusions = []
    for (own, other), count in named.most_common():
        votes[own] += count
        if own != other:
            confused.setdefault(own, other)
            confusions.append(Confusion(label=own, named=other, count=count))
    images = Counter(names.labels[record.class_id] for record in snapshot.images.values())
    classes = [
        ClassReport(
            label=label,
            n_images=images[label],
            n_votes=votes[label],
            accuracy=named[label, label] / votes[label] if votes[label] else None,
            confused_with=confused.get(label),
        )
        for label in snapshot.records
    ]
    matrix = None
    if len(snapshot.records) <= MAX_MATRIX:
        every = list(snapshot.records)
        matrix = ConfusionMatrix(
            labels=every, rows=[[named[own, other] for other in every] for own in every]
        )
    return classes, confusions[:_MAX_CONFUSIONS], matrix


def _calibration(examined: Examined) -> CalibrationOut:
    rows = examined.voters
    if len(rows) == 0:
        return CalibrationOut(error=None, bins=[])
    confidence, named = examined.probabilities[rows].max(dim=1)
    measured = Calibration.of(confidence, named == examined.columns[rows], CALIBRATION_BINS)
    return CalibrationOut(
        error=measured.error,
        bins=[
            CalibrationBin(
                low=i / CALIBRATION_BINS,
                high=(i + 1) / CALIBRATION_BINS,
                count=int(measured.counts[i]),
                confidence=float(measured.confidence[i]),
                accuracy=float(measured.accuracy[i]),
            )
            for i in torch.nonzero(measured.counts).flatten().tolist()
        ],
    )
