"""The histograms of similarities before and after, side by side on the same axes."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from service.diagnosis.drawing import draw
from service.diagnosis.histograms import histograms
from service.diagnosis.run import DiagnosisOut
from service.plotting.lettering import Lettering, wrapped

_INK, _FAINT = "#222222", "#777777"


def overlap_plot(diagnosis: DiagnosisOut, described: str) -> Figure:
    """Draw them; a single one where the backbone has one embedding.

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
        draw(axes, histogram)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.set_title(
            f"{title}\noverlap {100 * (one.overlap or 0.0):.1f} %", loc="left", color=_INK
        )
    about = f"{described}; backbone {diagnosis.backbone}"
    lettering = Lettering.of([about])
    figure.suptitle(
        "\n".join(wrapped(lettering.spelt(about), 60 * len(shown))),
        x=0.01,
        ha="left",
        fontsize=9.5,
        color=_FAINT,
        **lettering.style,
    )
    return figure
