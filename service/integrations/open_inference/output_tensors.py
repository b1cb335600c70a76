"""Output tensors: what a classifier answers, image by image, in the types of the protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.integrations.open_inference.binary_tensors import binary_of
from service.integrations.open_inference.inference_request import AskedOutput, InferenceRequest
from service.integrations.open_inference.models import KNOWN, LABEL, LABELS, PROBABILITY
from service.problems import AnswerTooLarge
from service.registry.predictions import Prediction
from service.registry.query_batching import MOST_ROWS

Values = Sequence[str] | Sequence[float] | Sequence[bool]


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """An output.

    Attributes:
        name: Its name.
        datatype: By the protocol's name: BYTES of text, FP32 or BOOL.
        shape: As many numbers as it has dimensions.
        values: Its elements, row by row.
        as_bytes: Whether it is wanted as bytes.
    """

    name: str
    datatype: str
    shape: list[int]
    values: Values
    as_bytes: bool = False

    def encoded(self) -> list[bytes]:
        """Its elements of text, in UTF-8."""
        return [str(one).encode() for one in self.values]

    def binary(self) -> bytes:
        """Its elements, as the binary tensor data extension writes them."""
        if self.datatype == "BYTES":
            return binary_of(self.encoded())
        return np.asarray(self.values, "<f4" if self.datatype == "FP32" else "?").tobytes()


def output_tensors(
    request: InferenceRequest,
    wanted: Sequence[AskedOutput],
    predictions: Sequence[Prediction],
    columns: Mapping[str, int],
) -> list[OutputTensor]:
    """The outputs that are wanted.

    Args:
        request: What they answer.
        wanted: Which, in their order.
        predictions: Of its images.
        columns: The number of each class, by its label.

    Raises:
        AnswerTooLarge: They would hold too much.
    """
    shape = [len(predictions)]
    if request.batched:
        shape.append(1)

    def made(asked: AskedOutput) -> OutputTensor:
        as_bytes = request.binary if asked.binary is None else asked.binary
        if asked.classes is not None:
            return _classification(asked.name, asked.classes, predictions, columns, as_bytes)
        if asked.name == LABELS.name:
            return _several(predictions, as_bytes)
        values: Values
        if asked.name == LABEL.name:
            values = [one.top_k[0].label for one in predictions]
        elif asked.name == PROBABILITY.name:
            values = [one.top_k[0].probability for one in predictions]
        else:
            values = [one.known for one in predictions]
        datatype = {one.name: one.datatype for one in (LABEL, PROBABILITY, KNOWN)}[asked.name]
        return OutputTensor(asked.name, datatype, shape, values, as_bytes)

    return [made(one) for one in wanted]


def _classification(
    name: str,
    classes: int,
    predictions: Sequence[Prediction],
    columns: Mapping[str, int],
    as_bytes: bool,
) -> OutputTensor:
    """The best classes as ``value:index:label`` (classification extension)."""
    rows = [one.top_k[:classes] for one in predictions]
    values = [
        # A class that was removed while the images were answered has no number any more.
        f"{ranked.probability:.6f}:{columns.get(ranked.label, -1)}:{ranked.label}"
        for row in rows
        for ranked in row
    ]
    return OutputTensor(name, "BYTES", [len(rows), len(rows[0])], values, as_bytes)


def _several(predictions: Sequence[Prediction], as_bytes: bool) -> OutputTensor:
    """The labels that each image is given; shorter rows end with empty text."""
    rows = [one.labels or [] for one in predictions]
    width = max(map(len, rows))
    if len(rows) * width > MOST_ROWS:
        raise AnswerTooLarge(
            f"The output {LABELS.name!r} would have {len(rows)} rows of {width} labels; at most"
            f" {MOST_ROWS} are accepted. Send fewer images in a request."
        )
    values = [label for row in rows for label in [*row, *[""] * (width - len(row))]]
    return OutputTensor(LABELS.name, LABELS.datatype, [len(rows), width], values, as_bytes)
