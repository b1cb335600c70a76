"""Verdicts on the figures of a report, in a sentence each: for people who did not come to read."""

from __future__ import annotations

from service.presentation.measure_schemas import OverlapOut
from service.presentation.measure_table import SAME_OVERLAP
from service.presentation.wording import percent
from service.reports.schemas import ReportOut

# Fewer pairs leave most of the 200 intervals empty.
_FEW_PAIRS = 100
_CLEAR, _MODERATE, _LARGE = 0.25, 0.45, 0.65


def overlap_verdict(overlap: OverlapOut) -> str:
    """Intra-modal overlap: whether it is good."""
    area = overlap.overlap
    if area is None:
        return "There are no pairs to compare yet."
    shared = f"They share {percent(area)} of their area"
    if overlap.n_paired < _FEW_PAIRS:
        return f"{shared}, but {overlap.n_paired} pairs are too few to judge by."
    if area < _CLEAR:
        return f"{shared}: good. Images of a class look alike, and unlike those of other classes."
    if area < _MODERATE:
        return f"{shared}: fair. Likeness tells the class in most cases."
    if area < _LARGE:
        return f"{shared}: much. Many images look as much like other classes as like their own."
    return f"{shared}: nearly all. By their looks, this encoder can hardly tell the classes."


def correction_verdict(frozen: OverlapOut, corrected: OverlapOut) -> str:
    """Intra-modal overlap after the correction: whether it is lower."""
    if frozen.overlap is None or corrected.overlap is None or frozen == corrected:
        return ""
    difference = corrected.overlap - frozen.overlap
    if abs(difference) <= SAME_OVERLAP:
        return "The correction makes next to no difference on these images."
    if difference < 0:
        return "The correction lowers the overlap on these images, as it should."
    return (
        "The correction raises the overlap on these images; a method without ++ may answer better."
    )


def suspects_verdict(report: ReportOut) -> str:
    """Suspected label errors: how seriously to take them."""
    if not report.n_suspects:
        return ""
    if report.n_suspects > 0.2 * report.examined.votes:
        return (
            "So many suspects tell of classes that are hard to tell apart, or of too few images,"
            " rather than of wrong labels. The first ones still deserve a look."
        )
    return "The clearest cases come first; further down, more of them are only unusual."


def calibration_verdict(report: ReportOut) -> str:
    """Expected calibration error: whether probabilities can be taken at their word."""
    error = report.calibration.error
    if error is None:
        return ""
    distance = f"On average they are {percent(error)} apart"
    if report.examined.votes < 50:
        return f"{distance}, but {report.examined.votes} images are too few to judge by."
    if error < 0.05:
        return f"{distance}: good. A probability of 90 % means 9 of 10 right."
    if error < 0.12:
        return f"{distance}: fair."
    return f"{distance}: the probabilities are rough here."
