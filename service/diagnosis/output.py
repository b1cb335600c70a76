"""The files of a diagnosis: JSON for programs, PNG and SVG to look at."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from service.diagnosis.plot import overlap_plot
from service.diagnosis.run import DiagnosisOut

FILES = ("diagnosis.json", "overlap.png", "overlap.svg")


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
