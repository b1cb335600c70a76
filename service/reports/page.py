"""HTML page of a report: no script, nothing from elsewhere but the support images."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from service.presentation.interpretation import interpretation
from service.presentation.measure_table import measure_rows
from service.presentation.wording import percent, quantity
from service.reports import charts, verdicts
from service.reports.advice_schemas import SpareImage
from service.reports.image_schemas import LookedUpImage
from service.reports.learning_chart import HEIGHT as CURVE_HEIGHT
from service.reports.learning_chart import curve_chart
from service.reports.schemas import ClassReport, ReportOut

#: What a browser may do with the page; it needs no more.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)
MAX_SUSPECTS = 48
MAX_COPIES = 24
MAX_COVERED = 24
_MAX_NEEDS = 12
# What is seen before anything is unfolded.
_MAX_BARS = 16
# A larger matrix does not fit on a screen; the most frequent confusions are listed instead.
_MAX_MATRIX = 30
_MAX_CONFUSIONS = 40
# What browsers show of the formats that can be uploaded.
_SHOWN = {"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/avif"}


@dataclass(frozen=True, slots=True)
class Cell:
    """Cell of the confusion matrix; ``share`` is that of its row."""

    count: int
    share: float
    correct: bool
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """Row of the confusion matrix."""

    label: str
    cells: list[Cell]


def shown_images(report: ReportOut) -> list[LookedUpImage]:
    """Support images that the page shows."""
    pairs = [(one, one.nearest) for one in report.suspects[:MAX_SUSPECTS]]
    copies = [(one, one.copy_of) for one in report.redundant[:MAX_COPIES]]
    covered = [(one, one.similar) for one in _covered(report)]
    return [image for pair in (*pairs, *copies, *covered) for image in pair if image is not None]


def _covered(report: ReportOut) -> list[SpareImage]:
    """Images that others cover; the page shows mislabelled ones and near copies apart."""
    return [one for one in report.advice.can_go if one.reason == "covered"][:MAX_COVERED]


def page(report: ReportOut, stored: Collection[str]) -> str:
    """HTML page of a report.

    Args:
        report: What it says.
        stored: Ids of those of ``shown_images`` whose bytes are stored.
    """
    judged = sorted(
        (one for one in report.classes if one.accuracy is not None),
        key=lambda one: (one.accuracy, -one.n_votes),
    )
    overlaps = {"frozen": report.overlap.frozen, "corrected": report.overlap.corrected}
    if not report.measures.is_corrected:
        del overlaps["frozen"]
    overlaps = {name: one for name, one in overlaps.items() if one.overlap is not None}
    shown_charts = charts.histogram_charts(list(overlaps.values()))
    return _template().render(
        report=report,
        worst=judged[:_MAX_BARS],
        others=judged[_MAX_BARS:],
        named_only=_labels(report, 0),
        singles=_labels(report, 1),
        suspects=report.suspects[:MAX_SUSPECTS],
        copies=report.redundant[:MAX_COPIES],
        curve=None if report.advice.curve is None else curve_chart(report.advice.curve),
        needs=report.advice.classes[:_MAX_NEEDS],
        more_needs=report.advice.classes[_MAX_NEEDS:],
        covered=_covered(report),
        visible={i.image_id for i in shown_images(report) if i.media_type in _SHOWN} & set(stored),
        matrix=_matrix(report) if report.n_classes <= _MAX_MATRIX else None,
        confusions=report.confusions[:_MAX_BARS],
        more_confusions=report.confusions[_MAX_BARS:_MAX_CONFUSIONS],
        votes={one.label: one.n_votes for one in report.classes},
        overlaps={
            name: (one, chart)
            for (name, one), chart in zip(overlaps.items(), shown_charts, strict=True)
        },
        rows=measure_rows(report.overlap, report.measures),
        dots=charts.reliability_dots(report.calibration),
    )


def _labels(report: ReportOut, n_images: int) -> list[str]:
    return [one.label for one in report.classes if one.n_images == n_images]


def _matrix(report: ReportOut) -> list[Row]:
    """Confusion matrix, without the rows of classes that have no votes."""
    if report.confusion_matrix is None:
        return []
    labels = report.confusion_matrix.labels
    return [
        Row(
            label,
            [
                Cell(
                    count,
                    count / max(sum(counts), 1),
                    label == named,
                    _cell_text(label, named, count),
                )
                for named, count in zip(labels, counts, strict=True)
            ],
        )
        for label, counts in zip(labels, report.confusion_matrix.rows, strict=True)
        if sum(counts)
    ]


def _cell_text(label: str, named: str, count: int) -> str:
    return f"{quantity(count, 'image')} of {label} named {named}"


def _relative(image: LookedUpImage) -> str:
    """Where the image is, seen from the page: right behind a proxy's prefix, too."""
    return f"classes/{quote(image.label, safe='')}/images/{image.image_id}"


def _n_correct(one: ClassReport) -> int:
    return round((one.accuracy or 0.0) * one.n_votes)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("service.reports"),
        autoescape=True,  # labels and file names may hold anything
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(href=_relative, n_correct=_n_correct, percent=percent)
    environment.globals.update(
        width=charts.WIDTH,
        height=charts.HEIGHT,
        curve_height=CURVE_HEIGHT,
        quantity=quantity,
        interpretation=interpretation,
        overlap_verdict=verdicts.overlap_verdict,
        correction_verdict=verdicts.correction_verdict,
        suspects_verdict=verdicts.suspects_verdict,
        calibration_verdict=verdicts.calibration_verdict,
    )
    return environment.get_template("report.html")
