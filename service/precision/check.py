"""The check of precisions: few-shot accuracy and speed of each, in one run on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import perf_counter

import torch

from adapters.embeddings import ImageEmbeddings
from adapters.encoder import Encoder
from adapters.engines.precisions import can_quantise, computed_in, instructions
from adapters.recipe import Precision
from adapters.synthetic_pictures import SUBJECTS, pictures
from service.precision.tasks import A_CLASS, SHOTS, answered, difference, draws
from service.precision.verdict import Measured, Verdict, versions

Load = Callable[[Precision], Encoder]
"""Loads the same model in a precision; takes seconds."""


def candidates() -> list[Precision]:
    """Precisions that this machine can compute in, float32 first."""
    found: list[Precision] = ["float32"]
    found += ["bfloat16"] if computed_in("bfloat16") == "bfloat16" else []
    found += ["int8"] if can_quantise() else []
    return found


def check(
    load: Load,
    said: Callable[[str], object] = str,
    precisions: Sequence[Precision] | None = None,
) -> Verdict:
    """Measure all precisions of a model, each picture embedded once in each.

    Batches take turns between precisions, so that what else the machine does slows all of them
    alike; the speed is the ratio of medians. Takes about as long as 580 pictures in float32 and
    as many in each of the others.

    Args:
        load: Loads the model.
        said: Is told what is done.
        precisions: What is compared, float32 first; what may be chosen between here if None.
    """
    started = perf_counter()
    if precisions is None:
        precisions = [one for one in candidates() if one != "int8"]
    if len(precisions) == 1:
        return _verdict({"float32": Measured(0.0, 0.0, 0.0, 1.0)}, started)
    said(f"comparing {', '.join(precisions)} on {A_CLASS * len(SUBJECTS)} synthetic pictures")
    encoders = {precision: load(precision) for precision in precisions}
    first = encoders["float32"]
    pixels = torch.stack([first.preprocess(image) for _, image in pictures(A_CLASS)])
    parts: dict[Precision, list[ImageEmbeddings]] = {one: [] for one in precisions}
    seconds: dict[Precision, list[float]] = {one: [] for one in precisions}
    for batch in torch.split(pixels, first.batch):
        for precision, encoder in encoders.items():
            begun = perf_counter()
            parts[precision].append(encoder.encode_images(batch))
            seconds[precision].append(perf_counter() - begun)
    texts = first.encode_classes(list(SUBJECTS))
    rows = {precision: ImageEmbeddings.concatenate(some) for precision, some in parts.items()}
    usual = {precision: float(torch.tensor(some).median()) for precision, some in seconds.items()}
    tasks = [task for shots in SHOTS for task in draws(len(SUBJECTS), A_CLASS, shots)]
    hits = {
        precision: answered(tasks, texts, some, some, first.logit_scale)
        for precision, some in rows.items()
    }
    measured: dict[Precision, Measured] = {}
    for precision in precisions:
        found = difference(hits["float32"], hits[precision])
        measured[precision] = Measured(
            round(found.accuracy + found.points, 2),
            round(found.points, 3),
            round(found.error, 3),
            round(usual["float32"] / usual[precision], 3),
        )
    return _verdict(measured, started)


def _verdict(measured: dict[Precision, Measured], started: float) -> Verdict:
    when = datetime.now(UTC).date().isoformat()
    return Verdict(measured, instructions(), versions(), when, round(perf_counter() - started, 1))
