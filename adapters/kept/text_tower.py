"""The compiled text tower, which is in memory from the first text on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Lock

import torch
from torch import Tensor

from adapters.engines import openvino
from adapters.engines.agreement import DisagreementError
from adapters.kept.kept_model import PROBE_TEXTS, TEXT, KeptModel
from adapters.kept.mapped_files import let_go_of_pages
from adapters.kept.tokens import tokenizer_of

logger = logging.getLogger("handful.runtime")

LEAST_COSINE = 0.99999
"""Of a text's embedding with PyTorch's, for the worst of the probes."""

EmbedTexts = Callable[[Sequence[str]], Tensor]
"""From n texts to (n, d) unit rows, on the CPU."""


class TextTower:
    """Embeds texts; reads and compiles the tower for the first of them.

    Always in float32, with as many threads as PyTorch takes by then.

    Args:
        kept: Where it is.
        otherwise: Makes what embeds texts if what is kept cannot be used.
    """

    def __init__(self, kept: KeptModel, otherwise: Callable[[], EmbedTexts]) -> None:
        self._kept = kept
        self._otherwise = otherwise
        self._embed: EmbedTexts | None = None
        self._loading = Lock()

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Embed n texts as (n, d) unit rows. Thread-safe."""
        with self._loading:
            if self._embed is None:
                self._embed = self._loaded()
        return self._embed(texts)

    def _loaded(self) -> EmbedTexts:
        try:
            return compiled_texts(self._kept)
        # Whatever is damaged, PyTorch's own tower can still be loaded.
        except Exception as error:
            logger.warning(
                "the compiled text tower in %s is not used: %s", self._kept.folder, error
            )
            return self._otherwise()


def compiled_texts(kept: KeptModel) -> EmbedTexts:
    """Compile a kept text tower.

    Raises:
        DisagreementError: It does not embed what PyTorch embeds.
        Exception: It is damaged.
    """
    tokenize = tokenizer_of(kept.about.tokens)
    model = openvino.read(kept.folder / TEXT)
    tower = openvino.Compiled(model, "float32", streams=1, threads=torch.get_num_threads())

    def embed(texts: Sequence[str]) -> Tensor:
        (rows,) = tower(tokenize(texts))
        return rows

    found = float((embed(PROBE_TEXTS) * kept.texts).sum(dim=1).min())
    if not found >= LEAST_COSINE:
        raise DisagreementError(
            f"its embeddings differ from PyTorch's (cosine {found:.6f}, at least {LEAST_COSINE})"
        )
    let_go_of_pages(kept.folder.resolve())
    return embed
