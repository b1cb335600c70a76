"""Files of a diagnosis: JSON for programs, the similarity histograms as PNG and SVG to look at."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from service.diagnosis.image_diagnosis import DiagnosisOut
from service.plotting.lettering import Lettering, wrapped
from service.plotting.similarity_plot import draw_similarities
from service.presentation.similarity_histograms import histograms

FILES = ("diagnosis.json", "overlap.png", "overlap.svg")
_INK, _FAINT = "#222222", "#777777"


def write(folder: Path, diagnosis: DiagnosisOut, described: str) -> None:
    """Write diagnosis.json, overlap.png and overlap.svg into the folder.

    Raises:
        OSError: One of them cannot be written.
    """
    document, *pictures = (folder / name for name in FILES)
    document.write_text(diagnosis.model_dump_json(indent=1) + "\n", encoding="utf-8")
    figure = overlap_plot(diagnosis, described)
    # The same diagnosis gives the same bytes: no random ids, no date.
    with mpl.rc_context({"svg.hashsalt": "handful"}):
        for picture in pictures:
            undated = {"Date": None} if picture.suffix == ".svg" else None
            figure.savefig(picture, metadata=undated)


def overlap_plot(diagnosis: DiagnosisOut, described: str) -> Figure:
    """Similarity histograms before and after the correction, side by side on the same axes.

    There is a single one where the backbone has one embedding.

    Args:
        diagnosis: What was measured; of images with pairs of both kinds.
        described: What it was measured on, for the title.
    """
    shown = [("Before: frozen embedding", diagnosis.overlap.frozen)]
    if diagnosis.measures.is_corrected:
        shown.append(("After: corrected embedding", diagnosis.overlap.corrected))
    spaced = ConstrainedLayoutEngine(wspace=0.06)
    figure = Figure(figsize=(5.4 * len(shown), 4.4), dpi=150, layout=spaced)
    drawn = histograms([one for _, one in shown])
    for axes, (title, one), histogram in zip(
        figure.subplots(1, len(shown), squeeze=False)[0], shown, drawn, strict=True
    ):
        draw_similarities(axes, histogram)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.set_title(
            f"{title}\noverlap {100 * (one.overlap or 0.0):.1f} %", loc="left", color=_INK
        )
    about = f"{described}; backbone {diagnosis.backbone}"
    lettering = Lettering.of([about])
    figure.suptitle(
        "\n".join(wrapped(lettering.with_code_points(about), 60 * len(shown))),
        x=0.01,
        ha="left",
        fontsize=9.5,
        color=_FAINT,
        **lettering.style,
    )
    return figure
