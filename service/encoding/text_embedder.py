"""Text embedder: from class names to text embeddings, off the event loop and writers' threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import anyio.to_thread
import torch
from torch import Tensor

from adapters.backbones.backbone import ensemble, prompt
from adapters.encoder import Encoder
from service.encoding.backpressure import AdmissionControl
from service.encoding.fair_queue import Priority
from service.encoding.image_embedder import Wait
from service.encoding.pending_answers import is_given
from service.encoding.text_passes import PendingTexts, TextPasses
from service.encoding.throughput import Throughput
from service.registry.class_texts import ClassTexts, TextsNeeded
from service.storage.prompt_cache import PromptCache
from service.telemetry.request_trace import traced_part
from service.tenancy import tenant_of

# Prompts of a piece, about: what is embedded of a request is kept and averaged by the piece, so
# that it holds one row a class and two pieces of prompts at most.
_PIECE = 512
# Pieces of a request in work: the tower has the next one while the last is written down.
_IN_WORK = 2


class _Text(str):
    """A prompt that another text tower than the service's own embeds.

    Attributes:
        tower: That one.
    """

    tower: Encoder

    @classmethod
    def of(cls, prompt: str, tower: Encoder) -> _Text:
        """That prompt, for that tower."""
        made = cls(prompt)
        made.tower = tower
        return made


@dataclass(frozen=True, slots=True)
class _Tower:
    """A text tower: what embeds by it, and what is kept of it.

    Attributes:
        encoder: What embeds; its own prompts tell it from others.
        kept: The embeddings that are kept; None: each request is embedded anew.
        is_own: Whether it is the service's own.
    """

    encoder: Encoder
    kept: PromptCache | None
    is_own: bool = True

    def texts(self, prompts: Sequence[str]) -> Sequence[str]:
        """Prompts as the thread of passes is given them."""
        return prompts if self.is_own else [_Text.of(one, self.encoder) for one in prompts]


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Some class names of a request, on their way.

    Attributes:
        labels: The names.
        prompts: Theirs; those of a name one after the other.
        known: Rows that were kept.
        missing: Prompts that are embedded for this piece, in the order of ``pending``.
        pending: Their way through the tower; None: there are none.
        made: Their rows, once they are there.
        of_others: ``made`` of the piece before it, which has some of its prompts.
    """

    labels: Sequence[str]
    prompts: Sequence[str]
    known: Mapping[str, Tensor]
    missing: Sequence[str]
    pending: PendingTexts | None
    of_others: Mapping[str, Tensor]
    made: dict[str, Tensor] = field(default_factory=dict)

    def row(self, prompt: str) -> Tensor:
        """The (d,) row of one of its prompts."""
        for rows in (self.known, self.made):
            if prompt in rows:
                return rows[prompt]
        return self.of_others[prompt]


class TextEmbedder:
    """Embeds prompts in one thread, in shared passes; requests of classifiers take turns.

    Prompts of classifiers with learned prompts go through the text tower that has these.

    Each prompt is embedded once: those that the database keeps cost no pass, whichever classifier
    they were embedded for, and names that are written alike are one prompt.

    Attributes:
        waiting: Prompts of requests that are not embedded.

    Args:
        backbone: Whose text tower it is.
        most: Prompts that may wait, see :class:`AdmissionControl`.
        kept: The embeddings that are kept; None: each request is embedded anew.
        queries_wait: Whether queries wait for the processors that it computes on.
        prompted: The encoder of embeddings under learned prompts, by their fingerprint.
    """

    def __init__(
        self,
        backbone: Encoder,
        most: int,
        kept: PromptCache | None = None,
        queries_wait: Callable[[], bool] = lambda: False,
        prompted: Callable[[str], Encoder] | None = None,
    ) -> None:
        self._backbone = backbone
        self._own = _Tower(backbone, kept)
        self._prompted = prompted
        self.waiting = dict.fromkeys(Priority, 0)
        self._passes = TextPasses(self._encode, queries_wait)
        self._admission = AdmissionControl(
            self, most, what="texts of class names", setting="HANDFUL_MAX_TEXTS"
        )

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
            RecipeGone: Nobody has the learned prompts any more.
        """
        tower = self._tower(needed.prompts)
        templates = tower.encoder.templates_for(needed.templates)
        with traced_part("embed texts", {"handful.texts": len(needed.labels) * len(templates)}):
            return await self._embedded(needed, tower, templates, classifier, wait)

    def _tower(self, prompted: str | None) -> _Tower:
        """What embeds texts under learned prompts of that fingerprint; None: without."""
        if prompted is None or self._prompted is None:
            return self._own
        kept = None if self._own.kept is None else self._own.kept.of(prompted)
        return _Tower(self._prompted(prompted), kept, is_own=False)

    def _encode(self, texts: Sequence[str]) -> Tensor:
        """One pass, or one for each tower that texts are for; (n, d) rows in their order."""
        places: dict[Encoder | None, list[int]] = {}
        for place, text in enumerate(texts):
            tower = text.tower if isinstance(text, _Text) else None
            places.setdefault(tower, []).append(place)
        if list(places) == [None]:
            return self._backbone.encode_texts(texts)
        rows = [
            (tower or self._backbone).encode_texts([texts[i] for i in some])
            for tower, some in places.items()
        ]
        order = torch.tensor([i for some in places.values() for i in some])
        return torch.cat(rows)[order.argsort()]

    async def _embedded(
        self,
        needed: TextsNeeded,
        tower: _Tower,
        templates: Sequence[str],
        classifier: str,
        wait: Wait,
    ) -> ClassTexts:
        priority = Priority.REGISTRATIONS
        left = len(needed.labels) * len(templates)
        self._admission.admit(left, classifier, priority)
        self.waiting[priority] += left
        rows: dict[str, Tensor] = {}
        begun: deque[_Piece] = deque()
        try:
            step = max(1, _PIECE // len(templates))
            # Names of about one length together: no pass is as long as the longest of all.
            ordered = sorted(needed.labels, key=len)
            to_come = deque(ordered[i : i + step] for i in range(0, len(ordered), step))
            while to_come or begun:
                while to_come and len(begun) < _IN_WORK:
                    before = begun[-1] if begun else None
                    labels = to_come.popleft()
                    begun.append(await self._begin(labels, tower, templates, classifier, before))
                await self._wait_for(begun[0], wait)
                piece = begun.popleft()
                rows |= await anyio.to_thread.run_sync(
                    _made_of, tower.kept, tenant_of(classifier), piece, len(templates)
                )
                self.waiting[priority] -= len(piece.prompts)
                left -= len(piece.prompts)
        finally:
            for piece in begun:
                if piece.pending is not None:
                    self._give_up(piece.pending)
            self.waiting[priority] -= left
            self._admission.release(len(needed.labels) * len(templates), classifier, priority)
        return ClassTexts.of(needed, [rows[label] for label in needed.labels])

    async def embed_as_written(
        self, prompts: Sequence[str], key: str, wait: Wait, prompted: str | None = None
    ) -> Tensor:
        """Embed n texts as they are; nothing is looked up or kept, as nobody may ask for it again.

        Args:
            prompts: One or more.
            key: Its requests take turns with those of others.
            wait: Waits for all of them; when it raises, what is not begun is not done.
            prompted: Fingerprint of embeddings under learned prompts; None: without.

        Returns:
            (n, d) unit rows, in their order.

        Raises:
            Overloaded: Too much waits already; nothing was embedded.
            RecipeGone: Nobody has the learned prompts any more.
        """
        with traced_part("embed texts", {"handful.texts": len(prompts)}):
            return await self._embedded_as_written(prompts, key, wait, self._tower(prompted))

    async def _embedded_as_written(
        self, prompts: Sequence[str], key: str, wait: Wait, tower: _Tower
    ) -> Tensor:
        priority, n = Priority.REGISTRATIONS, len(prompts)
        self._admission.admit(n, key, priority)
        self.waiting[priority] += n
        try:
            lengths = await anyio.to_thread.run_sync(tower.encoder.text_lengths, prompts)
            order = sorted(range(n), key=lengths.__getitem__)
            pending = self._passes.submit(tower.texts([prompts[i] for i in order]), key)
            try:
                await wait(pending.answer)
                rows = pending.answer.result()
            finally:
                self._give_up(pending)
        finally:
            self.waiting[priority] -= n
            self._admission.release(n, key, priority)
        return rows[torch.tensor(order).argsort()]

    def close(self) -> None:
        """Stop the thread once the pass under way is done."""
        self._passes.close()

    async def _begin(
        self,
        labels: Sequence[str],
        tower: _Tower,
        templates: Sequence[str],
        classifier: str,
        before: _Piece | None,
    ) -> _Piece:
        """Look up what is kept of a piece, and let the tower have the rest."""
        prompts = [prompt(label, template) for label in labels for template in templates]
        elsewhere = set[str]() if before is None else set(before.missing)
        tenant = tenant_of(classifier)
        known, missing = await anyio.to_thread.run_sync(
            _looked_up, tower, tenant, set(prompts), elsewhere
        )
        return _Piece(
            labels,
            prompts,
            known,
            missing,
            self._passes.submit(tower.texts(missing), classifier) if missing else None,
            {} if before is None else before.made,
        )

    def _give_up(self, pending: PendingTexts) -> None:
        if not is_given(pending.answer):  # of two pieces that failed one is told of
            self._passes.withdraw(pending)

    async def _wait_for(self, piece: _Piece, wait: Wait) -> None:
        """Wait for what the tower makes of a piece; raises what it fails with."""
        if piece.pending is not None:
            await wait(piece.pending.answer)
            piece.pending.answer.result()


def _looked_up(
    tower: _Tower, tenant: str, prompts: Collection[str], elsewhere: Collection[str]
) -> tuple[dict[str, Tensor], list[str]]:
    """Rows that are kept, and what is neither kept nor embedded elsewhere, shortest first."""
    known = {} if tower.kept is None else tower.kept.find(tenant, sorted(prompts))
    missing = [one for one in prompts if one not in known and one not in elsewhere]
    lengths = tower.encoder.text_lengths(missing)
    return known, [one for _, one in sorted(zip(lengths, missing, strict=True))]


def _made_of(
    kept: PromptCache | None, tenant: str, piece: _Piece, templates: int
) -> dict[str, Tensor]:
    """Keep what the tower has made of a piece, and average it; returns (d,) rows by label."""
    if piece.pending is not None:
        piece.made.update(zip(piece.missing, piece.pending.answer.result(), strict=True))
        if kept is not None:
            kept.add(tenant, piece.made)
    of_prompts = torch.stack([piece.row(one) for one in piece.prompts])
    return dict(zip(piece.labels, ensemble(of_prompts, templates), strict=True))
