"""The compiled text tower, which is in memory while there are texts to embed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Lock, Timer
from time import monotonic

from torch import Tensor

from adapters.backbones.dual_encoder import Tokenizer
from adapters.engines import openvino
from adapters.engines.agreement import DisagreementError
from adapters.kept.given_back import give_back_memory, let_go_of_pages
from adapters.kept.kept_model import PROBE_TEXTS, TEXT, KeptModel
from adapters.kept.tokens import PADDING, tokenizer_of
from adapters.recipe import Precision

logger = logging.getLogger("handful.runtime")

LEAST_COSINE: dict[Precision, float] = {"float32": 0.99999, "bfloat16": 0.999}
"""Of a text's embedding with PyTorch's, for the worst of the probes, by what it is computed in."""

REST = 60.0
"""Seconds without texts after which a text tower is let go of."""

EmbedTexts = Callable[[Sequence[str]], Tensor]
"""From n texts to (n, d) unit rows, on the CPU."""


class TextTower:
    """Embeds texts; reads and compiles the tower for the first of them, and after a rest.

    It is let go of when there was no text for a while: texts are names of classes, which come
    when a classifier is made, and its weights are most of a model's.

    Args:
        kept: Where it is.
        precision: That the image tower computes in; so do texts, but for int8 in float32.
        threads: Of the processor, for a pass.
        otherwise: Makes what embeds texts if what is kept cannot be used.
        rest: Seconds without texts after which it is let go of.
    """

    def __init__(
        self,
        kept: KeptModel,
        precision: Precision,
        threads: int,
        otherwise: Callable[[], EmbedTexts],
        rest: float = REST,
    ) -> None:
        self._kept = kept
        self._precision: Precision = precision if precision in LEAST_COSINE else "float32"
        self._threads = threads
        self._otherwise = otherwise
        self._embed: EmbedTexts | None = None
        self._rest = rest
        self._last = monotonic()
        self._loading = Lock()

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Embed n texts as (n, d) unit rows. Thread-safe."""
        return self._loaded()(texts)

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each of n texts has; characters where PyTorch's tower is used."""
        if not texts:  # which a tower that is not in memory need not be read for
            return []
        loaded = self._loaded()
        if isinstance(loaded, CompiledTexts):
            return loaded.lengths(texts)
        return [len(text) for text in texts]

    def _loaded(self) -> EmbedTexts:
        with self._loading:
            self._last = monotonic()
            if self._embed is None:
                self._embed = self._load()
                self._look_later(self._rest)
            return self._embed

    def _look_later(self, seconds: float) -> None:
        timer = Timer(seconds, self._let_go)
        timer.daemon = True
        timer.start()

    def _let_go(self) -> None:
        """Let go of the tower if it has rested long enough; who embeds now keeps it till then."""
        with self._loading:
            left = self._last + self._rest - monotonic()
            if left > 0:
                self._look_later(left)
                return
            self._embed = None
        give_back_memory()

    def _load(self) -> EmbedTexts:
        try:
            return CompiledTexts(self._kept, self._precision, self._threads)
        # Whatever is damaged, PyTorch's own tower can still be loaded.
        except Exception as error:
            logger.warning(
                "the compiled text tower in %s is not used: %s", self._kept.folder, error
            )
            return self._otherwise()


class CompiledTexts:
    """A kept text tower, compiled.

    Args:
        kept: Where it is.
        precision: To compute in, a key of :data:`LEAST_COSINE`.
        threads: Of the processor, for a pass.

    Raises:
        DisagreementError: It does not embed what PyTorch embeds.
        Exception: It is damaged.
    """

    def __init__(self, kept: KeptModel, precision: Precision, threads: int) -> None:
        self._tokenize: Tokenizer = tokenizer_of(kept.about.tokens)
        self._padding: int = kept.about.tokens.get("padding", PADDING)
        model = openvino.read(kept.folder / TEXT)
        self._tower = openvino.Compiled(model, precision, streams=1, threads=threads)
        found = float((self(PROBE_TEXTS) * kept.texts).sum(dim=1).min())
        least = LEAST_COSINE[precision]
        if not found >= least:
            raise DisagreementError(
                f"its embeddings differ from PyTorch's (cosine {found:.6f}, at least {least})"
            )
        let_go_of_pages(kept.folder.resolve())

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Embed n texts as (n, d) unit rows. Thread-safe."""
        (rows,) = self._tower(self._tokenize(texts))
        return rows

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each of n texts has, n above 0."""
        counted: list[int] = (self._tokenize(texts) != self._padding).sum(dim=1).tolist()
        return counted
