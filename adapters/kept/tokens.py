"""Tokenizers of kept towers, without the libraries that models are built with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from tokenizers import Tokenizer as FastTokenizer
from torch import Tensor

from adapters.backbones.dual_encoder import Tokenizer

CLIP, WORDPIECE = "clip", "wordpiece"
"""Kinds of tokenizers."""
PADDING = 0
"""What fills up the rows of open_clip's own tokenizer."""


def tokenizer_of(described: Mapping[str, Any]) -> Tokenizer:
    """Make the tokenizer that a description tells of.

    Args:
        described: ``kind``; of :data:`CLIP` its ``context_length``, ``clean`` and ``end``, of
            :data:`WORDPIECE` its ``file``, ``context_length`` and ``padding``. What does not change
            the embedding is cut off at the end of all texts.

    Raises:
        KeyError: The description is of another version.
        OSError: A file is missing.
    """
    if described["kind"] == CLIP:
        return _clip(described["context_length"], described["clean"], described["end"])
    return _wordpiece(described["file"], described["context_length"], described["padding"])


@cache
def _open_clip_tokenizers() -> ModuleType:
    """open_clip's module of tokenizers, by itself: the package imports timm and transformers."""
    package = find_spec("open_clip")
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError("the package open_clip_torch is not installed")
    path = Path(package.submodule_search_locations[0], "tokenizer.py")
    spec = spec_from_file_location(f"{__name__}.open_clip_tokenizer", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{path} cannot be imported")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.basic_clean = _quickly(module.basic_clean)  # type: ignore[attr-defined]
    return module


def _quickly(clean: Callable[[str], str]) -> Callable[[str], str]:
    """open_clip's cleaning, which has nothing to mend in plain texts, and takes long to see it."""

    def basic_clean(text: str) -> str:
        plain = text.isascii() and text.isprintable() and "&" not in text  # that of entities
        return text.strip() if plain else clean(text)

    return basic_clean


def _clip(context_length: int, clean: str, end: int | None) -> Tokenizer:
    tokenizer = _open_clip_tokenizers().SimpleTokenizer(context_length=context_length, clean=clean)

    def tokenize(texts: Sequence[str]) -> Tensor:
        tokens: Tensor = tokenizer(list(texts))
        if end is None or not len(tokens):
            return tokens
        # Attention is causal and the token of the end is pooled: what follows changes nothing.
        return tokens[:, : int((tokens == end).int().argmax(dim=1).max()) + 1]

    return tokenize


def _wordpiece(file: str, context_length: int, padding: int) -> Tokenizer:
    fast = FastTokenizer.from_file(file)
    fast.enable_truncation(context_length)
    fast.enable_padding(pad_id=padding)
    clean = _open_clip_tokenizers().get_clean_fn("whitespace")

    def tokenize(texts: Sequence[str]) -> Tensor:
        encoded = fast.encode_batch_fast([clean(text) for text in texts])
        return torch.tensor([each.ids for each in encoded], dtype=torch.long)

    return tokenize
