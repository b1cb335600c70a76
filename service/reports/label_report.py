"""Report on labels: precision, recall and average precision of each, by leave-one-out."""

from __future__ import annotations

import torch
from torch import Tensor

from adapters.multi_label import LeftOutImages
from service.registry.live import LiveClassifier
from service.reports.label_schemas import LabelReport, LabelsReportOut
from service.tenancy import bare


def label_report(live: LiveClassifier) -> LabelsReportOut:
    """Report on the present state of a classifier whose images may have several labels.

    Costs products of what is there already: leave-one-out is of the fit that answers.

    Raises:
        SingleLabels: Each of its images has one label.
    """
    left, labels = live.left_out_images()
    classes = [_of_class(left, column, label) for column, label in enumerate(labels)]
    judged = left.judged
    given, shown = left.given[:, judged], left.targets[:, judged]
    averages = [c.average_precision for c in classes if c.average_precision is not None]
    return LabelsReportOut(
        classifier=bare(live.name),
        n_classes=len(labels),
        n_images=left.n_images,
        n_negatives=left.n_negatives,
        labels_an_image=left.n_labels / left.n_images if left.n_images else None,
        examined=len(left.targets),
        mean_average_precision=sum(averages) / len(averages) if averages else None,
        f1=_f1(given, shown) if bool(judged.any()) else None,
        classes=classes,
    )


def _of_class(left: LeftOutImages, column: int, label: str) -> LabelReport:
    given, shown = left.given[:, column], left.targets[:, column]
    threshold = float(left.thresholds[column])
    if not bool(left.judged[column]):
        return LabelReport(
            label=label,
            n_images=int(left.shots[column]),
            threshold=threshold,
            precision=None,
            recall=None,
            f1=None,
            average_precision=None,
        )
    right = int((given & shown).sum())
    return LabelReport(
        label=label,
        n_images=int(left.shots[column]),
        threshold=threshold,
        precision=right / int(given.sum()) if bool(given.any()) else None,
        recall=right / int(shown.sum()),
        f1=_f1(given, shown),
        average_precision=average_precision(left.probabilities[:, column], shown),
    )


def _f1(given: Tensor, shown: Tensor) -> float:
    both = int(given.sum()) + int(shown.sum())
    return 2 * int((given & shown).sum()) / both if both else 0.0


def average_precision(probabilities: Tensor, shown: Tensor) -> float:
    """Mean of the precision at each image that shows the class; of equals all are one place.

    Args:
        probabilities: (m,).
        shown: (m,) bool, one of them at least.
    """
    values, places, counts = torch.unique(probabilities, return_inverse=True, return_counts=True)
    hits = torch.zeros(len(values)).index_add_(0, places, shown.float())
    hits, named = hits.flip(0).cumsum(0), counts.flip(0).cumsum(0)
    gained = hits.diff(prepend=torch.zeros(1))
    return float((gained * hits / named).sum() / hits[-1])
