"""Classification report by leave-one-out.

Accuracy of each class, confusion matrix, expected calibration error, suspected label errors,
near-duplicates, advice on what to register next, and the measures of the embeddings.
"""

from __future__ import annotations

from collections import Counter

import torch

from adapters.measures.calibration import Calibration
from adapters.measures.diagnosis import diagnose
from service.presentation.measure_schemas import MeasuresOut, OverlapsOut
from service.registry.snapshot import Snapshot
from service.reports.advice import advice_on
from service.reports.image_issues import ImageIndex, listed_near_duplicates, suspected_label_errors
from service.reports.leave_one_out import LeaveOneOut
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


def classification_report(
    snapshot: Snapshot, root_path: str = "", left_out: LeaveOneOut | None = None
) -> ReportOut:
    """Classification report on one state of a classifier.

    Costs one answer to each image and some products of the images with themselves, of at most
    4096 images, and for the learning curve about four full tunings with at most 2048. Holds no
    lock.

    Args:
        snapshot: The state.
        root_path: Where clients find the service, for the addresses of images.
        left_out: Its leave-one-out, where somebody else needs it, too.
    """
    if left_out is None:
        left_out = LeaveOneOut.of(snapshot)
    index = ImageIndex.of(snapshot, root_path)
    classes, confusions, matrix = _confusions(snapshot, left_out, index)
    accuracies = [one.accuracy for one in classes if one.accuracy is not None]
    n_suspects, listed_suspects = suspected_label_errors(left_out, index)
    n_redundant, listed_copies = listed_near_duplicates(left_out, index)
    diagnosis = diagnose(
        left_out.support.embeddings,
        left_out.columns,
        snapshot.classes.texts,
        joint=snapshot.joint,
    )
    tuning = snapshot.tuning
    return ReportOut(
        classifier=snapshot.name,
        n_classes=len(snapshot.records),
        n_images=len(snapshot.support),
        n_negatives=len(snapshot.negative_images),
        tuning=TuningOut(
            method=snapshot.method,
            head=tuning.head or snapshot.method,
            temperature=tuning.temperature,
            votes=tuning.votes,
            accuracy=tuning.accuracy,
        ),
        examined=ExaminedOut(
            images=len(left_out.images),
            complete=len(left_out.images) == len(snapshot.support),
            near_copies_left_out=len(left_out.images) - len(left_out.support),
            votes=len(left_out.judged),
        ),
        accuracy=sum(accuracies) / len(accuracies) if accuracies else None,
        classes=classes,
        confusions=confusions,
        confusion_matrix=matrix,
        n_suspects=n_suspects,
        suspects=listed_suspects,
        n_redundant=n_redundant,
        redundant=listed_copies,
        advice=advice_on(snapshot, left_out, index, listed_suspects, listed_copies),
        overlap=OverlapsOut.of(diagnosis),
        measures=MeasuresOut.of(diagnosis),
        calibration=_calibration(left_out),
        shift=None,  # of the queries, and not of this state: who asks adds it
    )


def _confusions(
    snapshot: Snapshot, left_out: LeaveOneOut, index: ImageIndex
) -> tuple[list[ClassReport], list[Confusion], ConfusionMatrix | None]:
    """Accuracy of every class, confused pairs, and the confusion matrix if it is small."""
    labels = index.columns()
    counts = Counter(
        (labels[own], labels[best])
        for own, best in zip(
            left_out.columns[left_out.judged].tolist(),
            left_out.predicted[left_out.judged].tolist() if len(left_out.judged) else [],
            strict=True,
        )
    )
    votes: Counter[str] = Counter()
    confused: dict[str, str] = {}
    confusions = []
    for (own, other), count in counts.most_common():
        votes[own] += count
        if own != other:
            confused.setdefault(own, other)
            confusions.append(Confusion(label=own, named=other, count=count))
    images = Counter(index.labels[record.class_id] for record in snapshot.images.values())
    classes = [
        ClassReport(
            label=label,
            n_images=images[label],
            n_votes=votes[label],
            accuracy=counts[label, label] / votes[label] if votes[label] else None,
            confused_with=confused.get(label),
        )
        for label in snapshot.records
    ]
    matrix = None
    if len(snapshot.records) <= MAX_MATRIX:
        every = list(snapshot.records)
        matrix = ConfusionMatrix(
            labels=every, rows=[[counts[own, other] for other in every] for own in every]
        )
    return classes, confusions[:_MAX_CONFUSIONS], matrix


def _calibration(left_out: LeaveOneOut) -> CalibrationOut:
    """Reliability diagram and expected calibration error of the leave-one-out predictions."""
    rows = left_out.judged
    if len(rows) == 0:
        return CalibrationOut(error=None, bins=[])
    confidence, predicted = left_out.probabilities[rows].max(dim=1)
    calibration = Calibration.of(confidence, predicted == left_out.columns[rows], CALIBRATION_BINS)
    return CalibrationOut(
        error=calibration.error,
        bins=[
            CalibrationBin(
                low=i / CALIBRATION_BINS,
                high=(i + 1) / CALIBRATION_BINS,
                count=int(calibration.counts[i]),
                confidence=float(calibration.confidence[i]),
                accuracy=float(calibration.accuracy[i]),
            )
            for i in torch.nonzero(calibration.counts).flatten().tolist()
        ],
    )
