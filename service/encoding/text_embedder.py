"""Text embedder: from class names to text embeddings, off the event loop and writers' threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio.to_thread
import torch
from torch import Tensor

from adapters.backbones.backbone import ensemble, prompt
from adapters.encoder import Encoder
from service.encoding.backpressure import AdmissionControl
from service.encoding.fair_queue import Priority
from service.encoding.image_embedder import Wait
from service.encoding.text_passes import TextPasses
from service.encoding.throughput import Throughput
from service.registry.class_texts import ClassTexts, TextsNeeded
from service.storage.prompt_cache import PromptCache

# Prompts that a request has in the queue at a time, about: what is embedded of it is kept and
# averaged by the piece, so that a request holds one row a class and a piece of prompts at most.
_PIECE = 512


class TextEmbedder:
    """Embeds prompts in one thread, in shared passes; requests of classifiers take turns.

    Each prompt is embedded once: those that the database keeps cost no pass, whichever classifier
    they were embedded for, and names that are written alike are one prompt.

    Attributes:
        waiting: Prompts of requests that are not embedded.

    Args:
        backbone: Whose text tower it is.
        most: Prompts that may wait, see :class:`AdmissionControl`.
        kept: The embeddings that are kept; None: each request is embedded anew.
        queries_wait: Whether queries wait for the processors that it computes on.
    """

    def __init__(
        self,
        backbone: Encoder,
        most: int,
        kept: PromptCache | None = None,
        queries_wait: Callable[[], bool] = lambda: False,
    ) -> None:
        self._backbone = backbone
        self._kept = kept
        self.waiting = dict.fromkeys(Priority, 0)
        self._passes = TextPasses(backbone.encode_texts, queries_wait)
        self._admission = AdmissionControl(self, most, "texts of class names", "HANDFUL_MAX_TEXTS")

    @property
    def throughput(self) -> Throughput:
        """How quickly prompts have been embedded of late."""
        return self._passes.throughput

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
        rows: dict[str, Tensor] = {}
        try:
            step = max(1, _PIECE // len(templates))
            # Names of one length together, so that no pass is as long as its longest name.
            ordered = sorted(needed.labels, key=len)
            for start in range(0, len(ordered), step):
                labels = ordered[start : start + step]
                of_piece = await self._piece(labels, templates, classifier, wait)
                rows.update(zip(labels, of_piece, strict=True))
                done = len(labels) * len(templates)
                self.waiting[priority] -= done
                left -= done
        finally:
            self.waiting[priority] -= left
            self._admission.release(len(needed.labels) * len(templates), classifier, priority)
        return ClassTexts.of(needed, [rows[label] for label in needed.labels])

    def close(self) -> None:
        """Stop the thread once the pass under way is done."""
        self._passes.close()

    async def _piece(
        self, labels: Sequence[str], templates: Sequence[str], classifier: str, wait: Wait
    ) -> Tensor:
        """(n, d) unit rows of n labels."""
        prompts = [prompt(label, template) for label in labels for template in templates]
        distinct = sorted(set(prompts), key=len)
        known: dict[str, Tensor] = {}
        if self._kept is not None:
            known = await anyio.to_thread.run_sync(self._kept.find, distinct)
        if missing := [one for one in distinct if one not in known]:
            rows = await self._embedded(missing, classifier, wait)
            fresh = dict(zip(missing, rows, strict=True))
            if self._kept is not None:
                await anyio.to_thread.run_sync(self._kept.add, fresh)
            known |= fresh
        return ensemble(torch.stack([known[one] for one in prompts]), len(templates))

    async def _embedded(self, prompts: Sequence[str], classifier: str, wait: Wait) -> Tensor:
        pending = self._passes.submit(prompts, classifier)
        try:
            await wait(pending.answer)
            return pending.answer.result()
        finally:
            if not pending.answer.done():
                self._passes.withdraw(pending)
