"""Inference: from a request of the protocol to its outputs, whatever brought it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from service.api.large_json import FEW
from service.api.offloading import live_classifier, run_blocking
from service.api.predicting import answered
from service.composition import ServiceParts
from service.encoding.image_embedder import Wait
from service.images.uploaded import UploadedImage
from service.integrations.open_inference.inference_request import (
    AskedOutput,
    InferenceRequest,
    check_outputs,
)
from service.integrations.open_inference.models import outputs_of
from service.integrations.open_inference.output_tensors import OutputTensor, output_tensors
from service.name_validation import NOT_THESE


async def inferred(
    parts: ServiceParts,
    name: str,
    request: InferenceRequest,
    count: Callable[[int], Awaitable[None]],
    waiting: Callable[[float], Wait],
) -> list[OutputTensor]:
    """Answer an inference request.

    Args:
        parts: What answers.
        name: The classifier's.
        request: What is asked.
        count: Counts its images for the quota of whoever asks; may raise.
        waiting: Gives what waits for the embeddings so many seconds.

    Raises:
        InvalidRequest: An output is wanted that there is not.

    Raises as :func:`service.api.predicting.answered`, too.
    """
    live = await live_classifier(parts, name)
    outputs = outputs_of(multi_label=live.settings.multi_label)
    check_outputs(request.outputs, outputs)
    wanted = request.outputs or [AskedOutput(one.name) for one in outputs]
    seconds = min(parts.settings.predict_seconds, request.seconds or math.inf)

    async def read() -> list[UploadedImage]:
        await count(len(request.images))
        return request.images

    answer = await answered(parts, name, read, request.top_k, 0, waiting(seconds))
    columns: dict[str, int] = {}
    if any(one.classes is not None for one in wanted):
        live = await live_classifier(parts, name)
        labels = (label for label in live.classes if label != NOT_THESE)
        columns = {label: column for column, label in enumerate(labels)}
    predictions = answer.predictions
    if len(predictions) * request.top_k <= FEW:
        return output_tensors(request, wanted, predictions, columns)
    return await run_blocking(output_tensors, request, wanted, predictions, columns)
