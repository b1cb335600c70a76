"""Text embedder: from class names to text embeddings, off the event loop and writers' threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from prometheus_client import Gauge, Histogram
from torch import Tensor

from adapters.backbones.backbone import ensemble, prompt
from adapters.encoder import Encoder
from service.encoding.backpressure import AdmissionControl
from service.encoding.fair_queue import Priority
from service.encoding.image_embedder import Wait
from service.encoding.micro_batching import Metrics, MicroBatcher
from service.encoding.throughput import Throughput
from service.registry.class_texts import ClassTexts, TextsNeeded

TEXTS = Metrics(
    Histogram("handful_text_batch_size", "Texts in one pass.", buckets=(1, 2, 4, 8, 16, 32)),
    Histogram("handful_text_seconds", "Duration of one pass of the text tower."),
    Gauge(
        "handful_waiting_texts",
        "Prompts of a piece that is being embedded.",
        ["lane"],
        multiprocess_mode="livesum",
    ),
)
# A pass is what a request cannot be taken out of: short beside anybody's patience.
_BATCH = 16
# Prompts that a request has in the queue at a time, about: what is embedded of it is averaged by
# the piece, so that a request holds no more than one row a class and a piece of prompts.
_PIECE = 256


class _Prompt(NamedTuple):
    label: str
    template: str


class TextEmbedder:
    """Embeds prompts in one thread, in shared passes; requests of classifiers take turns.

    One thread: texts are as slow as they are, and images keep the other cores.

    Attributes:
        waiting: Prompts of requests that are not embedded.

    Args:
        backbone: Whose text tower it is.
        most: Prompts that may wait, see :class:`AdmissionControl`.
    """

    def __init__(self, backbone: Encoder, most: int) -> None:
        self._backbone = backbone
        self.waiting = dict.fromkeys(Priority, 0)
        self._batcher = MicroBatcher(
            backbone.encode_texts,
            max_batch=_BATCH,
            passes=1,
            decoders=1,
            collate=list,
            metrics=TEXTS,
        )
        self._admission = AdmissionControl(self, most, "texts of class names", "HANDFUL_MAX_TEXTS")

    @property
    def throughput(self) -> Throughput:
        """How quickly prompts have been embedded of late."""
        return self._batcher.throughput

    async def embed(self, needed: TextsNeeded, classifier: str, wait: Wait) -> ClassTexts:
        """Embed the names of classes, each averaged over the templates.

        Args:
            needed: Which names, under which templates.
            classifier: Its requests take turns with those of others.
            wait: Waits for a piece; when it raises, what is not begun is not done.

        Raises:
            Overloaded: Too much waits already; nothing was embedded.
        """
        priority = Priority.REGISTRATIONS
        templates = self._backbone.templates_for(needed.templates)
        left = len(needed.labels) * len(templates)
        self._admission.admit(left, classifier, priority)
        self.waiting[priority] += left
        rows: list[Tensor] = []
        try:
            step = max(1, _PIECE // len(templates))
            for start in range(0, len(needed.labels), step):
                labels = needed.labels[start : start + step]
                rows.extend(await self._piece(labels, templates, classifier, wait))
                done = len(labels) * len(templates)
                self.waiting[priority] -= done
                left -= done
        finally:
            self.waiting[priority] -= left
            self._admission.release(len(needed.labels) * len(templates), classifier, priority)
        return ClassTexts.of(needed, rows)

    def close(self) -> None:
        """Stop the threads once the pass under way is done."""
        self._batcher.close()

    async def _piece(
        self, labels: Sequence[str], templates: Sequence[str], classifier: str, wait: Wait
    ) -> Tensor:
        prompts = [_Prompt(label, template) for label in labels for template in templates]
        request = self._batcher.submit(prompts, _written, classifier, Priority.REGISTRATIONS)
        try:
            await wait(request.answer)
            answer = request.answer.result()
        finally:
            if not request.answer.done():
                self._batcher.withdraw(request)
        return ensemble(torch.cat([row for _, [row] in answer]), len(templates))


def _written(each: _Prompt) -> tuple[None, list[str]]:
    return None, [prompt(*each)]
